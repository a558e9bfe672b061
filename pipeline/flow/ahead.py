"""Start the process that keeps a local deployment up before it is known what that will be; see ``supervise``. Imports next to nothing."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from pipeline.core.project import Project
from pipeline.deploy.state import folder_of, read_state


class Ahead:
    """A keeper that was started before there is a line of the log to keep: its imports take longer than most of a plan. As a context
    manager it ends with the block, unless it was told its line.
    """

    def __init__(self, root: Path, engine: Path | None) -> None:
        # -P: no folder that the user happens to be in brings modules of its own.
        argv = [sys.executable, "-P", "-m", "pipeline.flow.supervise", str(root.resolve())]
        if engine:
            argv.append(str(engine.resolve()))
        self.pid, self._pipe = _spawn(argv)

    def tell(self, line: str, log: Path, *, hashed: bool) -> None:
        """Tell it the digest of its line, and where it writes from now on. ``hashed``: all files were hashed for the line just now."""
        pipe, self._pipe = self._pipe, -1
        with suppress(BrokenPipeError), os.fdopen(pipe, "w") as told:  # who waits for it notices that it is gone
            told.write(json.dumps({"line": line, "log": str(log), "hashed": hashed}) + "\n")

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def ahead(project: Project, engine: Path | None, name: str) -> AbstractContextManager[Ahead | None]:
    """Start a keeper for a name, where none runs that would do."""
    found = read_state(folder_of(project.state, name))
    return nullcontext() if found and found.keeper.running() else Ahead(project.root, engine)


def _spawn(argv: list[str]) -> tuple[int, int]:
    """Start a program in a session of its own, so that it stays when the terminal goes, with our stderr; returns its number, and a
    pipe to it.
    """
    reads, writes = os.pipe()
    try:
        actions = [(os.POSIX_SPAWN_DUP2, reads, 0), (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
        return os.posix_spawn(argv[0], argv, os.environ, file_actions=actions, setsid=True), writes
    except BaseException:
        os.close(writes)
        raise
    finally:
        os.close(reads)
