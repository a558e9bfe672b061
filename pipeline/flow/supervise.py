"""``python -m pipeline.flow.supervise ROOT LINE [ENGINE]``: keep one local deployment up, as a line of the deployment log says.

Each start verifies first. After a crash it is started again, ever later; a crash loop ends it, with the reason. Files that change take it
out of service, and so does an engine that is no longer what was deployed. What ended it is recorded.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from pipeline.core.errors import AssayError, DigestMismatch, EngineError, LockOutOfDate
from pipeline.core.project import Project
from pipeline.deploy.kept import kept
from pipeline.deploy.live import drift_of_files, drift_of_process
from pipeline.deploy.log import Event, Line, append, log_path, read
from pipeline.deploy.state import Alive, State, folder_of, start_of, this, write_state
from pipeline.flow.serve import Service, serve
from pipeline.flow.session import Session

CRASHES, WITHIN = 5, 300.0
LOOK_EVERY = 5.0
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0


@dataclass
class Keeper:
    """One deployment that is kept up. ``run`` returns when it is over; the state file says how."""

    project: Project
    line: Line
    engine: Path | None = None
    state: State = field(init=False)
    _crashes: list[float] = field(default_factory=list)
    _drift: str = ""
    _up: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.state = State(self.line.digest, "starting", this())
        self._say("starting")

    def run(self) -> int:
        """Serve until stopped, out of service or failed; returns 0, 5 or 7."""
        try:
            while (code := self._once()) is None:
                pass
            return code
        except KeyboardInterrupt:
            return self._ended()

    def _once(self) -> int | None:
        """Serve until that ends; None when it should be started again."""
        try:
            self._serve()
            return self._ended()
        except (DigestMismatch, LockOutOfDate) as error:
            return self._over("out of service" if self.state.since else "failed", error.message)
        except EngineError as error:
            self._up.clear()
            if not self.state.since:
                return self._over("failed", error.message)
            if self._again(error.message):
                return None
            said = f"crash loop: {CRASHES} crashes within {WITHIN:.0f} s, the last: {error.message}"
            return self._over("failed", said)
        except AssayError as error:
            return self._over("failed", error.message)

    def _ended(self) -> int:
        if self._drift:
            return self._over("out of service", self._drift)
        self.state = self.state.now("stopped", engine=None)
        self._say("stopped")
        return 0

    def _serve(self) -> None:
        event, session = self.line.event, Session(self.project, engine_path=self.engine, offline=True)
        lock = kept(self.project.state, event.lock)
        engine = str(session.require_engine(lock).identity.digest)
        if engine != event.engine:
            raise DigestMismatch(f"the engine is another than was deployed\n  want {event.engine}\n  got  {engine}")
        port = event.options.get("port")
        port = lock.spec.deploy.port if port is None else int(port)
        if self.state.url:  # clients find it where it was
            port = int(self.state.url.rpartition(":")[2])
        with self._watched():
            serve(session, lock, host="127.0.0.1", port=port, started=self._started)

    def _started(self, service: Service) -> None:
        backend = service.backend
        self.state = self.state.now(
            "running",
            engine=Alive(backend.process.pid, start_of(backend.process.pid)),
            url=service.url,
            key_file=str(service.key_file),
            log=str(backend.log),
            models=backend.upstream.names,
            since=datetime.now(UTC).isoformat(),
            reason="",
        )
        self._say("running")
        self._up.set()

    def _again(self, why: str) -> bool:
        """Wait before the next start; False in a crash loop."""
        now = time.monotonic()
        self._crashes = [at for at in self._crashes if now - at < WITHIN] + [now]
        if len(self._crashes) >= CRASHES:
            return False
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (len(self._crashes) - 1))
        self.state = self.state.now("waiting", engine=None, restarts=self.state.restarts + 1, reason=why)
        self._say("waiting")
        print(f"{why}\nstarting again in {wait:g} s", flush=True)
        time.sleep(wait)
        return True

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """While it answers, compare the process and all files with the record, every few seconds."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(LOOK_EVERY):
                engine = self.state.engine
                if not self._up.is_set() or not engine or not engine.running():
                    continue
                found = drift_of_files(self.line.event, deep=False) + drift_of_process(self.line.event, engine.pid)
                if found and engine.running() and not over.is_set():
                    self._drift = "\n".join(found)
                    os.kill(os.getpid(), signal.SIGTERM)
                    return

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def _over(self, phase: str, why: str) -> int:
        event = self.line.event
        options = {"never_answered": True} if not self.state.since else {}
        ended = Event(
            event.name,
            "out-of-service" if phase == "out of service" else "failed",
            event.target,
            event.lock,
            actor={**event.actor, "commit": None},
            engine=event.engine,
            hardware=event.hardware,
            options=options,
            reason=why,
        )
        try:
            append(log_path(self.project.state), ended, datetime.now(UTC))
        except (AssayError, OSError) as error:
            why = f"{why}\nand it could not be recorded: {error}"
        self.state = self.state.now(phase, engine=None, reason=why)
        self._say(phase)
        return 5 if phase == "out of service" else 7

    def _say(self, phase: str) -> None:
        self.state = self.state.now(phase)
        write_state(folder_of(self.project.state, self.line.event.name), self.state)
        reason = f": {self.state.reason}" if self.state.reason and self.state.over else ""
        print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {self.line.event.name} {phase}{reason}", flush=True)


def main(arguments: list[str]) -> int:
    """Keep up what a line of the log says; returns the exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    root, digest, *engine = arguments
    project = Project(Path(root))
    (line,) = [one for one in read(log_path(project.state)).lines if one.digest == digest]
    return Keeper(project, line, Path(engine[0]) if engine else None).run()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
