"""Serve locked models on this machine, behind a front door, until interrupted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from pipeline.core.errors import AssayError, UsageError
from pipeline.core.files import atomic_write, locked
from pipeline.deploy.door.beside import beside, bound
from pipeline.deploy.door.hosts import LOOPBACK, check_public
from pipeline.deploy.door.keys import read_keys
from pipeline.deploy.door.model import Limits, Settings
from pipeline.deploy.plan import require_fits
from pipeline.flow.backend import Backend
from pipeline.flow.ordering import Wanted, order_of
from pipeline.flow.prepare import fetch_all, verify_all
from pipeline.flow.residents import Residents
from pipeline.flow.roster import Resident
from pipeline.flow.session import Session
from pipeline.lock.model import Lockfile
from pipeline.runtime.server import new_key


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
    """Models behind their front door, at ``url``; ``access_log`` is the door's log, ``budget`` in bytes what they may take
    together.
    """

    residents: tuple[Resident, ...]
    url: str
    key_file: Path
    access_log: Path
    budget: float = inf

    @property
    def backend(self) -> Backend:
        """The engine of the first model, which is loaded."""
        backend = self.residents[0].backend
        assert backend
        return backend


def serve(
    session: Session,
    *locks: Lockfile,
    host: str,
    port: int,
    started: Callable[[Service], None],
    access: Access = Access(),
    memory: int | None = None,
    idle: float | None = None,
) -> None:
    """Serve models until interrupted. ``started`` is called once, when the door is open.

    Each engine listens on a private socket, with a key of its own; the front door is what clients reach. One model is ready
    and proven before the door opens. Several are too, if all fit into ``memory`` (bytes; the machine's where nobody says);
    else each is loaded when it is asked for. One that nobody asked for ``idle`` seconds is unloaded.

    Raises UsageError for a model that alone does not fit, for an address, a key or a certificate that can't be used,
    KeyboardInterrupt when interrupted before the door was open; and, of one model or of the last that was left,
    DigestMismatch when the stored bytes are not the locked ones (before the start, or changed while it runs), EngineError
    when llama-server fails or is not what the lock says.
    """
    check_public(host, keys=access.keys is not None, tls=access.tls is not None)
    host = "127.0.0.1" if host == "localhost" else host
    folders = [session.project.state / "serve" / lock.name for lock in locks]
    with ExitStack() as held:
        for folder in folders:
            _take(folder, held)
        listening = held.enter_context(closing(bound(host, port)))
        settings = settings_of(access, folders[0], host)
        key_file = settings.keys
        if access.keys is None and len(folders) > 1:
            settings = replace(settings, keys=_all_keys(folders))
        settings.check()
        sizes, budget = _planned(session, locks, memory)
        made = tuple(Resident(*one) for one in zip(locks, sizes, (folder / "log" for folder in folders), strict=True))
        residents = held.enter_context(Residents(session, made, budget, idle))
        residents.load()
        service = Service(made, url_of(host, listening.getsockname()[1], access), key_file, settings.log, budget)
        try:
            with beside(lambda: residents.door(settings), listening) as front:
                residents.front = front
                try:
                    started(service)
                    residents.run()
                except KeyboardInterrupt:
                    session.progress.note("stopping")
                    residents.refuse("the server is being stopped")
                    front.drain(access.drain)
        except KeyboardInterrupt:
            session.progress.note("stopping at once")


def _take(folder: Path, held: ExitStack) -> None:
    """Be the only one who serves the model of this folder, until the end of ``held``. Raises UsageError."""
    try:
        held.enter_context(locked(folder / "lock", wait=0.0))
    except UsageError as error:
        said = f"{folder.name} is being served already: {error.message}"
        raise UsageError(said, hint="use that one, or stop it with Ctrl-C where it was started") from None


def _planned(session: Session, locks: Sequence[Lockfile], memory: int | None) -> tuple[list[int], float]:
    """Return the bytes that each model takes, and what they may take together. Raises UsageError for one that doesn't fit."""
    if len(locks) == 1 and memory is None:
        return [0], inf
    fetch_all(session, locks)
    try:
        orders = [order_of(session, lock, Wanted("local"), "") for lock in locks]
    except AssayError:
        verify_all(session, locks, deep=True)  # what can't be read may be no model any more
        raise
    for order in orders:
        require_fits(order, memory)
    have = orders[0].host.memory if memory is None and not any(order.gpu for order in orders) else memory
    return [order.limit for order in orders], inf if have is None else have


def _all_keys(folders: Sequence[Path]) -> Path:
    """Let the key of each model open the door to all, so that clients keep theirs. Returns the file of keys. Raises
    UsageError.
    """
    names: dict[str, str] = {}
    for folder in folders:
        read_keys(_key_in(folder))
        for parts in map(str.split, (folder / "key").read_text().splitlines()):
            if parts and not parts[0].startswith("#"):
                names.setdefault(parts[-1], parts[0] if len(parts) == 2 else folder.name)
    atomic_write(folders[0] / "keys", "".join(f"{name} {key}\n" for key, name in names.items()), 0o600)
    return folders[0] / "keys"


def _key_in(folder: Path) -> Path:
    """Return the file with a model's own key; it is made once."""
    if not (folder / "key").exists():
        atomic_write(folder / "key", f"{new_key()}\n", 0o600)
    return folder / "key"


def settings_of(access: Access, folder: Path, host: str) -> Settings:
    """Return what a door is told. A key is made where none was given; it and the door's log lie in ``folder``."""
    own = frozenset() if host in ("0.0.0.0", "::") else frozenset({host.lower()})
    return Settings(
        access.keys or _key_in(folder),
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
