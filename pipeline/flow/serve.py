"""Serve one locked model on this machine, behind a front door, until interrupted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.files import atomic_write, locked
from pipeline.deploy.door.beside import beside, bound
from pipeline.deploy.door.door import Door
from pipeline.deploy.door.hosts import LOOPBACK, check_public
from pipeline.deploy.door.model import Limits, Settings
from pipeline.flow.backend import Backend, start
from pipeline.flow.session import Session
from pipeline.lock.model import Lockfile
from pipeline.runtime.server import new_key

_LOOK_EVERY = 1.0


@dataclass(frozen=True)
class Access:
    """Who may come in, beyond this machine with the key that is made for it. ``keys``: a file of lines NAME KEY; ``tls``:
    certificate and key; ``queue``: how many requests may wait; ``drain``: seconds for streams to end at a stop.
    """

    keys: Path | None = None
    tls: tuple[Path, Path] | None = None
    origins: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    queue: int = Limits.queue
    drain: float = 0.0


@dataclass(frozen=True)
class Service:
    """A proven engine behind its front door, at ``url``; ``access_log`` is the door's log."""

    backend: Backend
    url: str
    key_file: Path
    access_log: Path


def serve(
    session: Session,
    lock: Lockfile,
    *,
    host: str,
    port: int,
    started: Callable[[Service], None],
    access: Access = Access(),
) -> None:
    """Serve until interrupted. ``started`` is called once, when the server is ready and proven.

    The engine listens on a private socket, with a key of its own; the front door is what clients reach. Raises
    DigestMismatch when the stored bytes are not the locked ones (before the start, or changed while it runs), EngineError
    when llama-server fails or is not what the lock says, UsageError for an address, a key or a certificate that can't be
    used, KeyboardInterrupt when interrupted before it was ready.
    """
    check_public(host, keys=access.keys is not None, tls=access.tls is not None)
    host = "127.0.0.1" if host == "localhost" else host
    folder = session.project.state / "serve" / lock.name
    with locked(folder / "lock", wait=0.0), closing(bound(host, port)) as listening:
        settings = settings_of(access, folder, host)
        settings.check()
        with start(session, lock, folder / "log") as backend:
            url = url_of(host, listening.getsockname()[1], access)
            service = Service(backend, url, settings.keys, settings.log)
            try:
                with beside(lambda: Door(settings, [backend.upstream]), listening) as front:
                    try:
                        started(service)
                        while True:
                            backend.look(_LOOK_EVERY)
                    except KeyboardInterrupt:
                        session.progress.note("stopping")
                        front.drain(access.drain)
            except KeyboardInterrupt:
                session.progress.note("stopping at once")


def settings_of(access: Access, folder: Path, host: str) -> Settings:
    """Return what a door is told. A key is made where none was given; it and the door's log lie in ``folder``."""
    keys = access.keys
    if keys is None:
        keys = folder / "key"
        if not keys.exists():
            atomic_write(keys, f"{new_key()}\n", 0o600)
    own = frozenset() if host in ("0.0.0.0", "::") else frozenset({host.lower()})
    return Settings(
        keys,
        folder / "access.jsonl",
        hosts=access.hosts | own,
        origins=access.origins,
        limits=Limits(queue=access.queue),
        tls=access.tls,
    )


def url_of(host: str, port: int, access: Access) -> str:
    """Return where clients find it: by the name that the certificate has, where one was told."""
    name = min(access.hosts) if access.hosts and host not in LOOPBACK else host
    return f"{'https' if access.tls else 'http'}://{f'[{name}]' if ':' in name else name}:{port}"
