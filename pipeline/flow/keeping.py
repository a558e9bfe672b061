"""Start and end the process that keeps a local deployment up; see ``supervise``."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from pipeline.core.errors import DeployError
from pipeline.deploy.log import Line
from pipeline.deploy.state import Alive, State, read_state, start_of
from pipeline.flow.ahead import Ahead
from pipeline.flow.session import Session
from pipeline.runtime.params import READY_WITHIN

_POLL = 0.02
_END_WITHIN = 60.0


def begin(session: Session, line: Line, folder: Path, keeper: Ahead | None = None, *, hashed: bool = False) -> State:
    """Start the keeper of a line of the log, or take one that was started ahead; wait until it answers or gives up, and return how it
    stands. ``hashed``: all files were hashed for the line just now.
    """
    folder.mkdir(parents=True, exist_ok=True)
    keeper = keeper or Ahead(session.project.root, session.engine_path)
    keeper.tell(line.digest, folder / "log", hashed=hashed)
    pid = keeper.pid
    alive, deadline = Alive(pid, start_of(pid)), time.monotonic() + READY_WITHIN + 60
    try:
        with session.progress.task(f"start {line.event.name}"):
            while time.monotonic() < deadline:
                found = read_state(folder)
                if found and found.entry == line.digest and (found.phase == "running" or found.over):
                    if found.over:
                        _gone(found.keeper, _END_WITHIN)
                    return found
                if _gone(alive, 0.0):
                    return State(line.digest, "failed", alive, reason=f"its keeper ended: see {folder / 'log'}")
                time.sleep(_POLL)
    except BaseException:
        _tell(pid)
        _gone(alive, _END_WITHIN)
        raise
    _tell(pid)
    return State(line.digest, "failed", alive, reason="it was not ready in time")


def end(folder: Path) -> None:
    """End the keeper and its engine, if they run. Raises DeployError when it doesn't end, or is another user's."""
    found = read_state(folder)
    if not found or not found.keeper.running():
        return
    pid = found.keeper.pid
    if not _tell(pid):
        raise DeployError(f"process {pid} keeps it up, and is another user's", hint="stop it as that user")
    if not _gone(found.keeper, _END_WITHIN):
        raise DeployError(f"process {pid} does not end", hint=f"see {folder / 'log'}")


def _tell(pid: int) -> bool:
    """Ask a process to end; False when it is another user's."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError:
        return False
    return True


def _gone(keeper: Alive, within: float) -> bool:
    """Wait for the end of a process, at most so many seconds; tells whether it came."""
    deadline = time.monotonic() + within
    while True:
        with suppress(ChildProcessError):
            os.waitpid(keeper.pid, os.WNOHANG)
        if not keeper.running():
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
