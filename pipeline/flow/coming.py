"""An engine of a deployment that is being started while others answer, in a thread of its own."""

from __future__ import annotations

import threading
import traceback
from concurrent.futures import Future
from pathlib import Path

from pipeline.core.errors import AssayError, DigestMismatch, EngineError
from pipeline.core.proc import Process
from pipeline.core.project import Project
from pipeline.deploy.kept import kept
from pipeline.deploy.live import marks_of
from pipeline.deploy.log import Line
from pipeline.deploy.state import folder_of
from pipeline.flow.backend import Backend, start
from pipeline.flow.canary import canary
from pipeline.flow.session import Session

_LET_GO_WITHIN = 30.0
_LOGS_KEPT = 5


class Coming:
    """It is verified, started, proven and asked a first prompt. ``asked``: somebody asked the deployment to go over to it.
    ``hashed``: who wrote the line hashed all files just now, and those that look as they did then need no second time.
    """

    def __init__(
        self, project: Project, line: Line, engine: Path | None, *, asked: bool = False, hashed: bool = False
    ) -> None:
        self.line, self.engine, self.asked = line, engine, asked
        self._hashed = marks_of(line.event) if hashed else None
        self._project, self._process = project, list[Process]()
        self._over, self._came = threading.Event(), Future[Backend]()
        self._thread = threading.Thread(target=self._run, name="coming", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait until it is up or has failed, so long at most; tells whether it is so."""
        self._thread.join(seconds)
        return self._came.done()

    def result(self) -> Backend:
        """Return it, once ``wait`` told so. Raises AssayError with what went wrong."""
        return self._came.result()

    def give_up(self) -> None:
        """End it, however far it has come."""
        self._over.set()
        for process in self._process:
            process.stop(0.5)
        self._thread.join(_LET_GO_WITHIN)
        if self._came.done() and self._came.exception() is None:
            self._came.result().stop()

    def _run(self) -> None:
        try:
            self._came.set_result(self._started())
        except AssayError as error:
            self._came.set_exception(error)
        except Exception as error:  # whatever it is, what answers now must not fall with it
            traceback.print_exc()
            self._came.set_exception(EngineError(f"{type(error).__name__}: {error}"))

    def _started(self) -> Backend:
        event, session = self.line.event, Session(self._project, engine_path=self.engine, offline=True)
        lock = kept(self._project.state, event.lock)
        engine = str(session.require_engine(lock).identity.digest)
        if engine != event.engine:
            raise DigestMismatch(f"the engine is another than was deployed\n  want {event.engine}\n  got  {engine}")
        backend = start(session, lock, self._log(), self._spawned, self._hashed)
        try:
            canary(backend)
            backend.look()
        except BaseException:
            backend.stop()
            raise
        return backend

    def _spawned(self, process: Process) -> None:
        self._process.append(process)
        if self._over.is_set():
            raise EngineError("it was given up")

    def _log(self) -> Path:
        """Return where its engine writes: a file for each line of the log, of which the last few stay."""
        folder, own = folder_of(self._project.state, self.line.event.name), f"engine-{self.line.number}.log"
        others = sorted(folder.glob("engine-*.log"), key=lambda path: path.stat().st_mtime)
        for path in others[: -_LOGS_KEPT or None]:
            if path.name != own:
                path.unlink(missing_ok=True)
        return folder / own
