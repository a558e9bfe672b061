"""Several models behind one door, as many of them in memory as fit: loaded when somebody asks, unloaded when another one
needs the room or nobody has asked for long.

One thread loads and unloads, one model at a time. The thread that calls ``run`` watches over those that are loaded, and is
the one that Ctrl-C reaches.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import TypeVar

from pipeline.core.errors import AssayError, DigestMismatch, LockOutOfDate, refusal
from pipeline.core.proc import Process
from pipeline.core.progress import Progress, Task
from pipeline.deploy.door.beside import Beside
from pipeline.deploy.door.door import Door
from pipeline.deploy.door.model import Settings
from pipeline.flow.backend import Backend, start
from pipeline.flow.roster import Resident, Roster
from pipeline.flow.session import Session

T = TypeVar("T")
_LOOK_EVERY, _POLL_EVERY, _TURN_EVERY = 1.0, 0.1, 0.25
_LET_GO_WITHIN = 30.0


class Residents:
    """The models. As a context manager all engines are stopped at the end. ``front`` is their door once it is open.

    One model alone is no different, but whatever ends it ends ``run``.
    """

    def __init__(self, session: Session, residents: Sequence[Resident], budget: float, idle: float | None) -> None:
        self.front: Beside | None = None
        self._roster = Roster(residents, budget, idle)
        self._over, self._news = threading.Event(), threading.Event()
        self._session = copy(session)  # with all that it has looked up
        self._session.progress = _Stoppable(session.progress, self._over)
        self._alone = len(residents) == 1
        self._live: list[Backend] = []
        self._loading: Process | None = None
        self._broken: BaseException | None = None

    def load(self) -> None:
        """Load all, if all fit; else each is loaded when it is first asked for. Raises what ends the last of them."""
        if self._roster.all_fit:
            with self._beside(self._load_all) as done:
                done.wait()
        self._require_any()

    def door(self, settings: Settings) -> Door:
        """Make the door that they stand behind."""
        upstreams = [one.upstream for one in self._roster.residents.values()]
        return self._roster.behind(Door(settings, upstreams, self._news.set))

    def run(self) -> None:
        """Serve until interrupted. Raises what ended the last model that could be served."""
        looked = 0.0
        with self._beside(self._turns):
            while True:
                due = time.monotonic() - looked >= _LOOK_EVERY
                looked = time.monotonic() if due else looked
                for one in self._roster.residents.values():
                    if (backend := one.backend) and (due or backend.process.poll() is not None):
                        self._look(one, backend)
                self._require_any()
                time.sleep(_POLL_EVERY)

    def refuse(self, why: str) -> None:
        """Let none wait any more for a model that is not loaded."""
        self._do(lambda: self._roster.refuse(why))

    def __enter__(self) -> Residents:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:  # also where a second Ctrl-C comes in between
            for backend in list(self._live):
                stack.callback(backend.stop)

    def _do(self, what: Callable[[], T]) -> T:
        return self.front.do(what) if self.front else what()

    def _require_any(self) -> None:
        if self._broken:
            raise self._broken
        if self._roster.last and all(one.gone for one in self._roster.residents.values()):
            raise self._roster.last

    def _look(self, one: Resident, backend: Backend) -> None:
        error = _fault(backend)
        if error is None or not self._do(lambda: self._roster.leave(one, backend, error)):
            return  # all is well, or it was unloaded meanwhile
        if self._alone:
            raise error
        self._session.progress.note(f"{one.lock.name}: {error.message}")
        self._stop(backend)
        self._do(lambda: self._roster.left(one))
        self._news.set()

    @contextmanager
    def _beside(self, what: Callable[[], None]) -> Iterator[threading.Event]:
        """Load and unload in a thread beside the block; at its end that is over, wherever it is. Not in this thread: what
        Ctrl-C interrupts must not be just anything.
        """

        done = threading.Event()  # a join that is interrupted takes the thread for ended (CPython 3.11)

        def do() -> None:
            try:
                what()
            except BaseException as error:
                if not self._over.is_set():
                    self._broken = error
            finally:
                done.set()

        threading.Thread(target=do, name="residents", daemon=True).start()
        try:
            yield done
        finally:
            if not done.is_set():
                self._over.set()
                self._news.set()
                if (process := self._loading) is not None:
                    process.stop(0.5)
                done.wait(_LET_GO_WITHIN)

    def _load_all(self) -> None:
        for one in self._roster.residents.values():
            self._load(one)

    def _turns(self) -> None:
        while True:
            self._news.wait(_TURN_EVERY)
            if self._over.is_set():
                return
            self._news.clear()
            turn = self._do(self._roster.turn)
            for backend, why in turn.stop:
                self._session.progress.note(f"{backend.lock.name} is unloaded: {why}")
                self._stop(backend)
            if turn.start:
                self._load(turn.start)
                self._news.set()

    def _load(self, one: Resident) -> None:
        try:
            backend = start(self._session, one.lock, one.log, self._spawned)
        except (AssayError, OSError) as error:
            known = error if isinstance(error, AssayError) else refusal(error)
            if known is None or self._alone or self._over.is_set():
                raise
            self._session.progress.note(f"{one.lock.name} does not start: {known.message}")
            gone = isinstance(known, (DigestMismatch, LockOutOfDate))
            self._do(lambda: self._roster.failed(one, known, gone=gone))
            return
        finally:
            self._loading = None
        self._live.append(backend)
        self._do(lambda: self._roster.up(one, backend))

    def _spawned(self, process: Process) -> None:
        self._loading = process
        if self._over.is_set():
            raise _Stopped

    def _stop(self, backend: Backend) -> None:
        backend.stop()
        self._live.remove(backend)


class _Stopped(Exception):
    """It is no longer wanted."""


class _Stoppable:
    """Progress that ends the work it hears of, such as hashing, when all is over."""

    def __init__(self, progress: Progress, over: threading.Event) -> None:
        self._progress, self._over = progress, over

    @contextmanager
    def task(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        """Open a task."""
        with self._progress.task(label, total, unit) as task:
            yield _StoppableTask(task, self._over)

    def note(self, message: str) -> None:
        """Say one line."""
        self._progress.note(message)


class _StoppableTask:
    def __init__(self, task: Task, over: threading.Event) -> None:
        self._task, self._over = task, over

    def advance(self, amount: int = 1) -> None:
        """Go on, unless all is over."""
        if self._over.is_set():
            raise _Stopped
        self._task.advance(amount)


def _fault(backend: Backend) -> AssayError | None:
    try:
        backend.look()
    except AssayError as error:
        return error
    return None
