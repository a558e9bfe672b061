"""One engine behind a front door: its files verified, started on a private socket, proven, watched, stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from pipeline.core.errors import EngineError
from pipeline.core.files import atomic_write
from pipeline.core.proc import Process, ending, spawn
from pipeline.core.scratch import scratch
from pipeline.deploy.door.model import Upstream
from pipeline.deploy.live import Mark
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session, Stored
from pipeline.flow.watch import Watch
from pipeline.lock.model import Lockfile
from pipeline.runtime.params import READY_WITHIN, Listen, server_argv
from pipeline.runtime.pulse import Pulse
from pipeline.runtime.server import new_key, prove, short_folder, wait_ready

_GRACE = 2.0


@dataclass
class Backend:
    """A llama-server that runs what a lock says. ``upstream`` is what a door needs to reach it, ``props`` what it says of
    itself, ``log`` its own log. As a context manager it is stopped at the end.
    """

    lock: Lockfile
    process: Process
    upstream: Upstream
    props: dict[str, Any]
    log: Path
    _watch: Watch
    _pulse: Pulse
    _held: ExitStack

    def look(self, wait: float = 0.0) -> None:
        """Look after it, for ``wait`` seconds or until it ends. Raises DigestMismatch when its files are not the locked
        ones any more, EngineError when it ended by itself, does nothing any more or can't be reached.
        """
        if (code := self.process.wait(wait)) is not None:
            said = f"llama-server ended by itself: {ending(code)}\n{self.process.log_tail(10)}"
            raise EngineError(said, hint=f"see {self.log}")
        if not self.upstream.socket.is_socket():
            raise EngineError(
                f"the socket of llama-server is gone: {self.upstream.socket}", hint="something tidies up there"
            )
        if self._pulse.stuck:
            said = f"llama-server is stuck: its loop gave no sign for {self._pulse.after:.0f} s"
            raise EngineError(said, hint=f"a request keeps it, such as one with a costly grammar: see {self.log}")
        self._watch.look()

    def client(self, timeout: float = 5.0) -> httpx.Client:
        """Return a client of its socket, past any door; the caller closes it."""
        return _client(self.upstream, timeout)

    def stop(self) -> None:
        """End it, at once. Safe to call twice."""
        self._held.close()

    def __enter__(self) -> Backend:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(
    session: Session,
    lock: Lockfile,
    log: Path,
    spawned: Callable[[Process], object] = lambda process: None,
    hashed: Mapping[Path, Mark] | None = None,
) -> Backend:
    """Fetch what is missing, hash every file, start the engine, and prove that it is what the lock says. ``spawned`` is told of
    the process before it is ready; what it raises ends it. ``hashed``: see ``Watch``.

    Raises DigestMismatch when the stored bytes are not the locked ones (now, or since they were hashed), EngineError when
    llama-server fails or says otherwise.
    """
    fetch_all(session, [lock])
    watch = Watch(session, lock, hashed)
    with ExitStack() as made:
        private = made.enter_context(scratch(short_folder()))
        process, upstream = _spawn(session, session.stored(lock), log, private)
        ended = made.enter_context(ExitStack())  # what ends when the process has ended
        made.callback(process.stop, _GRACE)
        spawned(process)
        with _client(upstream) as client:
            with session.progress.task(f"load {lock.name}"):
                wait_ready(process, Listen(str(upstream.socket)), READY_WITHIN)
            props = prove(client, lock, session.stored(lock).weights)
        watch.look()
        pulse = Pulse(upstream.socket, upstream.key)
        ended.callback(pulse.close)
        return Backend(lock, process, upstream, props, log, watch, pulse, made.pop_all())


def _client(upstream: Upstream, timeout: float = 5.0) -> httpx.Client:
    transport = httpx.HTTPTransport(uds=str(upstream.socket), verify=False)
    headers = {"Authorization": f"Bearer {upstream.key}"}
    return httpx.Client(transport=transport, base_url="http://localhost", headers=headers, timeout=timeout)


def _spawn(session: Session, stored: Stored, log: Path, private: Path) -> tuple[Process, Upstream]:
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
        lock.name,
        lock.weights.sha256,
        str(lock.digest),
        Path(listen.host),
        key,
        slots=lock.spec.engine.slots,
        profile=lock.spec.profile,
    )
    return spawn((str(build.server), *argv), env=build.environment, log=log), upstream
