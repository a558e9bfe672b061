"""``python -m pipeline.flow.supervise ROOT [ENGINE]``: keep one local deployment up, as a line of the deployment log says; which, a
line of JSON on stdin tells (see ``ahead.Ahead``).

Each start verifies first. After a crash the engine is started again, ever later, and requests wait; a crash loop ends it, with the reason.
Files that change take it out of service, and so does an engine that is no longer what was deployed. What ended it is recorded. When it is
asked to (``deploy/switch.py``), it goes over to another line of the log: the front door and its port stay.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pipeline import __version__
from pipeline.core.errors import AssayError, DigestMismatch, EngineError, LockOutOfDate
from pipeline.core.files import locked
from pipeline.core.project import Project
from pipeline.deploy.door.beside import Beside, beside, bound
from pipeline.deploy.door.door import Door
from pipeline.deploy.kept import kept
from pipeline.deploy.live import drift_of_files, drift_of_process
from pipeline.deploy.log import Line, log_path, read
from pipeline.deploy.state import Alive, State, folder_of, start_of, this
from pipeline.deploy.switch import Switch, read_switch
from pipeline.flow.backend import Backend
from pipeline.flow.coming import Coming
from pipeline.flow.leaving import Leaving
from pipeline.flow.saying import Notice
from pipeline.flow.serve import Access, settings_of, url_of
from pipeline.flow.telling import note, tell

HOST = "127.0.0.1"
CRASHES, WITHIN = 5, 300.0
LOOK_EVERY = 5.0
# How long requests may go on, at an engine that others wait to see replaced, and at a stop.
TURN_WITHIN, STOP_WITHIN = 60.0, 30.0
_TICK, _FAREWELL = 0.2, 1.0
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0

End = tuple[str, str]
"""A phase and a reason."""


@dataclass
class Keeper:
    """One deployment that is kept up. ``run`` returns when it is over, which ``stopping`` asks for; the state file says how.

    All happens in one thread, turn by turn, but the door and the start of an engine have their own.
    """

    project: Project
    line: Line
    engine: Path | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    hashed: bool = False
    _serving: Backend | None = None
    _coming: Coming | None = None
    _leaving: Leaving = field(default_factory=Leaving)
    _fallen: AssayError | None = None
    _crashes: list[float] = field(default_factory=list)
    _look_at: float = 0.0
    _again_at: float = 0.0

    def __post_init__(self) -> None:
        name = self.line.event.name
        state = State(self.line.digest, "starting", this(), version=__version__)
        self._notice = Notice(folder_of(self.project.state, name), name, state)
        self._say("starting")

    @property
    def state(self) -> State:
        """What it says of itself."""
        return self._notice.state

    def run(self) -> int:
        """Serve until stopped, out of service or failed; returns 0, 5 or 7."""
        try:
            with ExitStack() as held:
                phase, why = self._keep(held)
        except AssayError as error:
            phase, why = "failed", error.message
        except KeyboardInterrupt:
            phase, why = "stopped", ""
        if phase != "stopped":
            action = "out-of-service" if phase == "out of service" else "failed"
            why = self._record(action, self.line, why, **({} if self.state.since else {"never_answered": True}))
        self._say(phase, engine=None, coming="", reason=why)
        return {"stopped": 0, "out of service": 5}.get(phase, 7)

    def _keep(self, held: ExitStack) -> End:
        folder, port = self.project.state / "serve" / self.line.event.name, port_of(self.project, self.line)
        held.enter_context(locked(folder / "lock", wait=0.0))
        listening = held.enter_context(closing(bound(HOST, port)))
        settings = settings_of(Access(), folder, HOST)
        settings.check()
        held.callback(self._let_go)
        self._coming = first = Coming(self.project, self.line, self.engine, hashed=self.hashed)
        while not first.wait(_TICK):
            if self.stopping.is_set():
                return "stopped", ""
        upstream = first.result().upstream
        front = held.enter_context(beside(lambda: Door(settings, [upstream]), listening))
        url = url_of(HOST, listening.getsockname()[1], Access())
        self._say("starting", url=url, key_file=str(settings.keys))
        end: End | None = None
        while not end and not self.stopping.is_set():
            end = self._turn(front)
        self._close(front, end[1] if end else "it is being stopped")
        return end or ("stopped", "")

    def _close(self, front: Beside, why: str) -> None:
        """Close the door: who waits for an engine that will not come is told so, what is being answered may end."""
        if not self._serving:
            front.close(self.line.event.name, why)
        front.drain(STOP_WITHIN if self._serving else _FAREWELL)

    def _turn(self, front: Beside) -> End | None:
        """Look after everything once; returns how it ended, if it did."""
        self._leaving.look(front)
        self._notice.catch_up()
        if self._coming and self._coming.wait(0.0):
            self._came(front, self._coming)
        elif not self._coming and not self._leaving and self._notice.asked:
            self._asked(front, read_switch(self._notice.folder))
        elif not self._coming and self._fallen:
            return self._mend(self._fallen)
        try:
            self._look()
        except AssayError as error:
            self._fell(front, error)
        return None

    def _look(self) -> None:
        """Look after the engine that is in service, for the length of a turn. Raises EngineError, DigestMismatch."""
        if not (backend := self._serving):
            self.stopping.wait(_TICK)
            return
        backend.look(_TICK)
        if time.monotonic() < self._look_at:
            return
        event, self._look_at = self.line.event, time.monotonic() + LOOK_EVERY
        found = drift_of_files(event, deep=False) + drift_of_process(event, backend.process.pid)
        if found and backend.process.poll() is None:
            raise DigestMismatch("\n".join(found))

    def _fell(self, front: Beside, error: AssayError) -> None:
        """The engine that was in service ended, or must not answer any more; from now on requests wait."""
        front.pause(self.line.event.name)
        if self._serving:
            self._serving.stop()
        self._serving, self._fallen = None, error
        if isinstance(error, EngineError):
            now = time.monotonic()
            self._crashes = [at for at in self._crashes if now - at < WITHIN] + [now]
            wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (len(self._crashes) - 1))
            self._again_at = now + wait
        self._say("waiting", engine=None, reason=error.message)

    def _mend(self, error: AssayError) -> End | None:
        """Start it again when it is time, or say how it ended."""
        if not isinstance(error, EngineError):
            return "out of service" if isinstance(error, DigestMismatch | LockOutOfDate) else "failed", error.message
        if len(self._crashes) >= CRASHES:
            return "failed", f"crash loop: {CRASHES} crashes within {WITHIN:.0f} s, the last: {error.message}"
        if time.monotonic() >= self._again_at:
            self._say("waiting", restarts=self.state.restarts + 1)
            self._coming = Coming(self.project, self.line, self.engine)
        return None

    def _asked(self, front: Beside, switch: Switch | None) -> None:
        """Begin to go over to another line."""
        log = read(log_path(self.project.state))
        found = [one for one in log.lines if switch and one.digest == switch.entry and not log.faults]
        if not switch or not found or found[0].digest == self.line.digest:
            self._notice.settle()
            return
        self._say(self.state.phase, coming=switch.entry)
        if not switch.beside:
            self._step_aside(front)
        self._coming = Coming(self.project, found[0], Path(switch.engine) if switch.engine else None, asked=True)

    def _step_aside(self, front: Beside) -> None:
        """Stop the engine in service when it is empty, to make room for the next; requests wait from now on."""
        if not (backend := self._serving):
            return
        front.pause(self.line.event.name)
        until = time.monotonic() + TURN_WITHIN
        while not front.idle(backend.upstream) and time.monotonic() < until and not self.stopping.is_set():
            self.stopping.wait(_TICK)
        self._serving = None
        backend.stop()
        self._say("switching", engine=None)

    def _came(self, front: Beside, coming: Coming) -> None:
        """An engine is up, and takes over; or it failed, and what serves goes on."""
        self._coming = None
        try:
            backend = coming.result()
        except AssayError as error:
            if not coming.asked:
                self._fell(front, error)
                return
            still = not self._fallen or isinstance(self._fallen, EngineError)
            options = {"serving": self.line.digest} if still else {}
            self._record("failed", coming.line, error.message, never_answered=True, **options)
            self._say(self.state.phase, coming="")
            self._notice.settle()
            if not self._serving and not self._fallen:
                self._coming = Coming(self.project, self.line, self.engine)
            return
        front.replace(backend.upstream)
        if self._serving:
            self._leaving.add(self._serving)
        self._take(coming, backend)

    def _take(self, coming: Coming, backend: Backend) -> None:
        """Note that an engine is in service."""
        old, fallen = self.line, self._fallen
        self.line, self.engine, self._serving, self._fallen = coming.line, coming.engine, backend, None
        self._look_at = time.monotonic() + LOOK_EVERY
        if coming.asked:
            self._crashes = []
            if fallen and not isinstance(fallen, EngineError):
                self._record("out-of-service", old, fallen.message)
        self._say(
            "running",
            entry=self.line.digest,
            coming="",
            engine=Alive(backend.process.pid, start_of(backend.process.pid)),
            log=str(backend.log),
            models=backend.upstream.names,
            since=datetime.now(UTC).isoformat(),
            restarts=0 if coming.asked else self.state.restarts,
            reason="",
        )
        if coming.asked:
            self._notice.settle()

    def _let_go(self) -> None:
        """End every engine."""
        if self._coming:
            self._coming.give_up()
            if self._coming.asked:
                self._record("failed", self._coming.line, "it was stopped before it answered", never_answered=True)
                self._notice.settle()
        self._leaving.stop()
        if self._serving:
            self._serving.stop()

    def _record(self, action: str, line: Line, why: str, **options: object) -> str:
        """Record an end; returns the reason, with what kept it from being recorded."""
        note(f"line {line.number} of the log: {action}: {why}")
        return tell(self.project, action, line, why, options)

    def _say(self, phase: str, **changes: object) -> None:
        self._notice.say(phase, **changes)


def port_of(project: Project, line: Line) -> int:
    """Return the port that a line of the log asks for; 0 is any. Raises DigestMismatch where its lock isn't kept."""
    port = line.event.options.get("port")
    return kept(project.state, line.event.lock).spec.deploy.port if port is None else int(port)


def _write_to(log: Path) -> None:
    """Let go of all that belongs to who started us."""
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    for number, one in enumerate((nothing, handle, handle)):
        os.dup2(one, number)
    os.close(nothing)
    os.close(handle)


def main(arguments: list[str]) -> int:
    """Keep up what a line of the log says; returns the exit code."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if not (told := sys.stdin.readline()):  # nothing is to be kept up after all
        return 0
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    root, *engine = arguments
    project, errand = Project(Path(root)), json.loads(told)
    _write_to(Path(errand["log"]))
    (line,) = [one for one in read(log_path(project.state)).lines if one.digest == errand["line"]]
    return Keeper(project, line, Path(engine[0]) if engine else None, stopping, errand["hashed"]).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
