"""Regular expressions that suites bring, searched for within bounds: with some, a text of forty characters takes longer
than anybody waits, and nothing in this process could interrupt that.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock

SECONDS = 2.0  # of CPU time
MEMORY_BYTES = 1 << 30
_CHILD = Path(__file__).with_name("_search.py")


class Unsearchable(ValueError):
    """Whether a pattern is found can't be told within the bounds."""


def found(pattern: str, text: str) -> bool:
    """Tell whether a pattern, as ``re`` takes it, is found anywhere in a text. Safe between threads. Raises Unsearchable."""
    return _searcher(os.getpid()).found(pattern, text)


class _Searcher:
    """A child process that searches; started when it is first needed, and again after a search that it did not survive."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def found(self, pattern: str, text: str) -> bool:
        request = json.dumps([pattern, text]).encode() + b"\n"
        with self._lock:
            try:
                line = self._ask(request)
            except BaseException:
                self._end()  # what it would say next belongs to this search
                raise
            if line.endswith(b"\n"):
                return bool(json.loads(line))
            code = self._end()
        why = f"more than {SECONDS:g} s" if code == -signal.SIGVTALRM else "more than its bounds allow"
        raise Unsearchable(
            f"searching for the pattern {pattern[:80]!r} takes {why}: write one with fewer ways to match"
        )

    def _ask(self, request: bytes) -> bytes:
        if self._process is None:
            pipe, argv = subprocess.PIPE, [sys.executable, "-I", "-S", str(_CHILD), str(SECONDS), str(MEMORY_BYTES)]
            self._process = subprocess.Popen(
                argv, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env={}, start_new_session=True
            )
        assert self._process.stdin and self._process.stdout
        with suppress(BrokenPipeError):
            self._process.stdin.write(request)
            self._process.stdin.flush()
        return self._process.stdout.readline()

    def _end(self) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.kill()  # how one ended that has ended already, stays
        with suppress(BrokenPipeError):
            process.communicate()
        return process.returncode

    def close(self) -> None:
        """End the child, if there is one."""
        with self._lock:
            self._end()


@cache
def _searcher(pid: int) -> _Searcher:
    """Return that of this process: a fork has none of its parent's."""
    made = _Searcher()
    atexit.register(made.close)
    return made
