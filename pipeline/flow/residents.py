"""Several models behind one door, as many of them in memory as fit: loaded when somebody asks, unloaded when another one
needs the room or nobody has asked for long.

The thread that calls ``run`` loads and unloads, one model at a time. A second one watches over those that are loaded. What
they know of the models is changed in the door's thread alone, so a request is never between two decisions.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TypeVar

from pipeline.core.errors import AssayError, DigestMismatch, EngineError, LockOutOfDate, refusal
from pipeline.deploy.door.beside import Beside
from pipeline.deploy.door.door import Door
from pipeline.deploy.door.model import Settings, Upstream
from pipeline.deploy.door.rooms import Room
from pipeline.flow.backend import Backend, start
from pipeline.flow.budget import Standing, next_start, outstayed
from pipeline.flow.session import Session
from pipeline.lock.model import Lockfile

T = TypeVar("T")
_LOOK_EVERY, _POLL_EVERY, _TURN_EVERY = 1.0, 0.1, 0.25
_FIRST_WAIT, _LONGEST_WAIT, _SHORT = 0.5, 300.0, 2.0
_STABLE = 60.0  # an engine that ran for so long and then crashed has not failed again and again
_NOWHERE = Path("/nonexistent")


@dataclass
class Resident:
    """One of the models. ``size`` in bytes is what it takes when it is loaded; ``why`` says why it is not to be had, until
    ``again`` (by the monotonic clock); ``gone``: for good.
    """

    lock: Lockfile
    size: int
    log: Path
    backend: Backend | None = None
    leaving: bool = False
    why: str = ""
    again: float = 0.0
    gone: bool = False
    failures: int = 0
    began: float = 0.0

    @property
    def state(self) -> str:
        """``loaded``, ``unloaded`` or ``failed``."""
        return "failed" if self.why else "loaded" if self.backend else "unloaded"

    @property
    def upstream(self) -> Upstream:
        """What the door needs to reach it; without slots while there is no engine."""
        if self.backend:
            return self.backend.upstream
        return Upstream(self.lock.name, self.lock.weights.sha256, str(self.lock.digest), _NOWHERE, "", slots=0)


@dataclass(frozen=True)
class _Turn:
    """What is to be done next."""

    stop: tuple[tuple[Backend, str], ...] = ()
    start: Resident | None = None


class Residents:
    """The models. As a context manager all engines are stopped at the end.

    ``budget`` in bytes is what they may take together, ``idle`` the seconds after which one that nobody asks is unloaded;
    ``front`` is their door once it is open.
    One model alone is no different, but whatever ends it ends ``run``.
    """

    def __init__(
        self, session: Session, residents: Sequence[Resident], budget: float = inf, idle: float | None = None
    ) -> None:
        self.residents = {one.lock.name: one for one in residents}
        self._session, self._budget, self._idle = session, budget, idle
        self._live: list[Backend] = []
        self._news, self._over = threading.Event(), threading.Event()
        self.front: Beside | None = None
        self._broken: BaseException | None = None
        self._last: AssayError | None = None

    def load(self) -> None:
        """Load all, if all fit; else each is loaded when it is first asked for. Raises what ends the last of them."""
        if sum(one.size for one in self.residents.values()) <= self._budget:
            for one in self.residents.values():
                self._load(one)
        self._require_any()

    def door(self, settings: Settings) -> Door:
        """Make the door that they stand behind."""
        made = Door(settings, [one.upstream for one in self.residents.values()], self._news.set)
        for one in self.residents.values():
            if one.why:
                made.room(one.lock.name).close(one.why, self._wait_of(one))
        return made

    def run(self) -> None:
        """Load and unload until interrupted. Raises what ended the last model that could be served."""
        with self._watched():
            while True:
                self._news.wait(_TURN_EVERY)
                self._news.clear()
                if self._broken:
                    raise self._broken
                self._require_any()
                turn = self._do(self._next)
                for backend, why in turn.stop:
                    self._session.progress.note(f"{backend.lock.name} is unloaded: {why}")
                    self._stop(backend)
                if turn.start:
                    self._load(turn.start)
                    self._news.set()

    def refuse(self, why: str) -> None:
        """Let none wait any more for a model that is not loaded."""

        def refuse() -> None:
            for one in self.residents.values():
                if not one.backend:
                    one.why, one.gone = why, True
                    self._show(one)

        self._do(refuse)

    def __enter__(self) -> Residents:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:  # also where a second Ctrl-C comes in between
            for backend in list(self._live):
                stack.callback(backend.stop)

    def _load(self, one: Resident) -> None:
        try:
            backend = start(self._session, one.lock, one.log)
        except (AssayError, OSError) as error:
            known = error if isinstance(error, AssayError) else refusal(error)
            if known is None or len(self.residents) == 1:
                raise
            self._session.progress.note(f"{one.lock.name} does not start: {known.message}")
            gone = isinstance(known, (DigestMismatch, LockOutOfDate))
            self._do(lambda: self._failed(one, known, gone=gone))
            return
        self._live.append(backend)
        self._do(lambda: self._up(one, backend))

    def _stop(self, backend: Backend) -> None:
        backend.stop()
        self._live.remove(backend)

    def _require_any(self) -> None:
        if self._last and all(one.gone for one in self.residents.values()):
            raise self._last

    # What follows is done in the door's thread, once there is one.

    def _do(self, what: Callable[[], T]) -> T:
        return self.front.do(what) if self.front else what()

    def _next(self) -> _Turn:
        now = time.monotonic()
        for one in self.residents.values():
            if one.why and not one.gone and now >= one.again:
                one.why = ""
                self._show(one)
        why = "nobody asked it for long"
        before = now - self._idle if self._idle is not None else -inf
        stop = [(self._take(name), why) for name in outstayed(self._standings(now), before)]
        found = next_start(self._standings(now), self._budget)
        if not found:
            return _Turn(tuple(stop))
        why = f"{found.name} needs the memory"
        stop += [(self._take(name), why) for name in found.stop]
        return _Turn(tuple(stop), self.residents[found.name])

    def _standings(self, now: float) -> list[Standing]:
        made = []
        for name, one in self.residents.items():
            room, there = self._room(name), one.backend is not None
            free = there and not one.leaving and room.idle()
            asked = None if there or one.why or now < one.again else room.since
            made.append(Standing(name, one.size, there, free, room.used, asked))
        return made

    def _take(self, name: str) -> Backend:
        one = self.residents[name]
        backend, one.backend = one.backend, None
        assert backend
        self._show(one)
        return backend

    def _up(self, one: Resident, backend: Backend) -> None:
        one.backend, one.leaving, one.why, one.began = backend, False, "", time.monotonic()
        self._show(one)

    def _failed(self, one: Resident, error: AssayError, *, gone: bool, crashed: bool = False) -> None:
        """Note that it did not start, or crashed, or may not be served any more."""
        now = time.monotonic()
        self._last, one.gone = error, gone
        one.failures = 1 if crashed and now - one.began > _STABLE else one.failures + 1
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (one.failures - 1))
        one.again = now + wait
        one.why = "" if crashed and wait <= _SHORT else _reason(error)  # so short a wait is one for the requests too
        self._show(one)

    def _show(self, one: Resident) -> None:
        """Let the door do as it stands with a model."""
        if not self.front:
            return
        room = self._room(one.lock.name)
        if one.why:
            room.close(one.why, self._wait_of(one))
        elif one.backend and not one.leaving:
            room.replace(one.backend.upstream)
        else:
            room.unload()

    def _wait_of(self, one: Resident) -> float:
        return _LONGEST_WAIT if one.gone else one.again - time.monotonic()

    def _room(self, name: str) -> Room:
        assert self.front
        return self.front.door.room(name)

    # The second thread.

    @contextmanager
    def _watched(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        looked = 0.0
        try:
            while not self._over.wait(_POLL_EVERY):
                due = time.monotonic() - looked >= _LOOK_EVERY
                looked = time.monotonic() if due else looked
                for one in self.residents.values():
                    if (backend := one.backend) and (due or backend.process.poll() is not None):
                        self._look(one, backend)
        except BaseException as error:
            self._broken = error
            self._news.set()

    def _look(self, one: Resident, backend: Backend) -> None:
        error = _fault(backend)
        if error is None or not self._do(lambda: self._leave(one, backend, error)):
            return
        if len(self.residents) == 1:
            raise error
        self._session.progress.note(f"{one.lock.name}: {error.message}")
        self._stop(backend)
        self._do(lambda: self._left(one))
        self._news.set()

    def _leave(self, one: Resident, backend: Backend, error: AssayError) -> bool:
        if one.backend is not backend:
            return False  # it was unloaded meanwhile
        one.leaving = True
        crashed = isinstance(error, EngineError)
        self._failed(one, error, gone=not crashed, crashed=crashed)
        return True

    def _left(self, one: Resident) -> None:
        one.backend, one.leaving = None, False


def _fault(backend: Backend) -> AssayError | None:
    try:
        backend.look()
    except AssayError as error:
        return error
    return None


def _reason(error: AssayError) -> str:
    """Return what a client may hear of an error: no path, no log."""
    if isinstance(error, EngineError):
        return error.message.splitlines()[0]
    return (
        "its files are not those that the lock names" if isinstance(error, DigestMismatch) else "it can't be verified"
    )
