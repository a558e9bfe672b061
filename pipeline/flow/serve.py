"""Serve one locked model on this machine: hash, start, prove, watch, stop."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import httpx

from pipeline.core.errors import EngineError
from pipeline.core.files import atomic_write, locked
from pipeline.core.proc import Process, ending, spawn
from pipeline.deploy.door.beside import beside, bound
from pipeline.deploy.door.door import Door
from pipeline.deploy.door.hosts import LOOPBACK, check_public
from pipeline.deploy.door.model import Limits, Settings, Upstream
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session, Stored
from pipeline.flow.watch import Watch
from pipeline.lock.model import Lockfile
from pipeline.runtime.params import Listen, server_argv
from pipeline.runtime.server import READY_WITHIN, new_key, prove, short_folder, wait_ready

_LOOK_EVERY = 1.0
_GRACE = 2.0


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
    """A server that was verified, started and proven, behind its front door. ``names`` are the model names it answers to;
    ``log`` is the engine's, ``access_log`` the door's.
    """

    lock: Lockfile
    process: Process
    url: str
    key_file: Path
    log: Path
    access_log: Path
    names: tuple[str, ...]
    props: dict[str, Any]


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
    fetch_all(session, [lock])
    folder = session.project.state / "serve" / lock.name
    with locked(folder / "lock", wait=0.0), closing(bound(host, port)) as listening:
        settings = _settings(access, folder, host)
        settings.check()
        watch = Watch(session, lock)
        with tempfile.TemporaryDirectory(prefix="assay-", dir=short_folder()) as private:
            process, upstream, props = _start(session, session.stored(lock), folder / "log", Path(private))
            url = _url(host, listening.getsockname()[1], access)
            service = Service(lock, process, url, settings.keys, folder / "log", settings.log, upstream.names, props)
            try:
                watch.look()
                with beside(lambda: Door(settings, [upstream]), listening) as front:
                    try:
                        started(service)
                        _wait(process, watch, service.log)
                    except KeyboardInterrupt:
                        session.progress.note("stopping")
                        front.drain(access.drain)
            except KeyboardInterrupt:
                session.progress.note("stopping at once")
            finally:
                process.stop(_GRACE)


def _settings(access: Access, folder: Path, host: str) -> Settings:
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


def _url(host: str, port: int, access: Access) -> str:
    """Return where clients find it: by the name that the certificate has, where one was told."""
    name = min(access.hosts) if access.hosts and host not in LOOPBACK else host
    return f"{'https' if access.tls else 'http'}://{f'[{name}]' if ':' in name else name}:{port}"


def _wait(process: Process, watch: Watch, log: Path) -> NoReturn:
    while (code := process.wait(_LOOK_EVERY)) is None:
        watch.look()
    raise EngineError(f"llama-server ended by itself: {ending(code)}\n{process.log_tail(10)}", hint=f"see {log}")


def _start(session: Session, stored: Stored, log: Path, private: Path) -> tuple[Process, Upstream, dict[str, Any]]:
    lock, build = stored.lock, session.require_engine(stored.lock)
    log.unlink(missing_ok=True)
    listen, key = Listen(str(private / "llama.sock")), new_key()
    atomic_write(private / "key", f"{key}\n", 0o600)
    argv = server_argv(
        lock,
        weights=stored.weights,
        template=stored.template,
        mmproj=stored.mmproj,
        listen=listen,
        key_file=private / "key",
        threads=session.threads(lock),
    )
    upstream = Upstream(
        lock.name, lock.weights.sha256, str(lock.digest), Path(listen.host), key, slots=lock.spec.engine.slots
    )
    process = spawn((str(build.server), *argv), env=build.environment, log=log)
    try:
        transport = httpx.HTTPTransport(uds=listen.host, verify=False)
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(transport=transport, base_url="http://localhost", headers=headers) as client:
            with session.progress.task(f"load {lock.name}"):
                wait_ready(process, listen, READY_WITHIN)
            props = prove(client, lock, stored.weights)
    except BaseException:
        process.stop(_GRACE)
        raise
    return process, upstream, props
