"""The processes that render: each started once, asked often, ended with us."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SERVER = Path(__file__).with_name("render_server.py")
_IDLE: deque[Renderer] = deque()


@dataclass(frozen=True)
class Answer:
    """What came back: whole ``lines``, the ``status`` with which the rendering ended (negative for a signal), None when
    the renderer itself ended, and whether it was ``late`` and killed for that.
    """

    lines: list[bytes]
    status: int | None
    late: bool = False


class Renderer:
    """One process; it has a session of its own, so that Ctrl-C in a terminal reaches us alone and we end it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,
        )
        self.owner = os.getpid()

    def ask(self, request: bytes, seconds: float) -> Answer:
        """Send a request (a line, without its end) and collect the answer; what takes longer than ``seconds`` is killed,
        and the renderer with it.
        """
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        lines: list[bytes] = []
        try:
            assert self.process.stdin and self.process.stdout
            with suppress(BrokenPipeError):
                self.process.stdin.write(request + b"\n")
                self.process.stdin.flush()
            for line in self.process.stdout:
                if line.startswith(b'{"end": '):
                    return Answer(
                        lines[:-1], int(line[8:-2])
                    )  # the last is what a killed rendering has begun, or empty
                lines.append(line)
            whole = lines if not lines or lines[-1].endswith(b"\n") else lines[:-1]
            return Answer(whole, None, late.is_set())
        except BaseException:
            self.kill()
            raise
        finally:
            timer.cancel()

    def kill(self) -> None:
        """Kill it and what it renders."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it, by force when it does not end by itself, and give back what it held."""
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                assert pipe
                pipe.close()
        try:
            self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            self.kill()
            self.process.wait()


def ask(request: bytes, seconds: float) -> Answer:
    """Let an idle renderer answer, or a new one; any number of threads may ask at the same time."""
    while True:
        renderer, fresh = _take()
        try:
            answer = renderer.ask(request, seconds)
        except BaseException:
            renderer.close()
            raise
        if answer.status is not None:
            _IDLE.append(renderer)
            return answer
        renderer.close()
        if fresh or answer.late or answer.lines:
            return answer  # an old one may have ended because it was idle, just now


def warm() -> None:
    """Start a renderer that will soon be needed; this returns at once."""
    if not _IDLE:
        _at_exit()
        _IDLE.append(Renderer())


def close() -> None:
    """End all idle renderers."""
    with suppress(IndexError):
        while True:
            _IDLE.pop().close()


def _take() -> tuple[Renderer, bool]:
    with suppress(IndexError):
        while True:
            renderer = _IDLE.pop()
            if renderer.owner == os.getpid():  # those of a process that forked us are not ours
                return renderer, False
    _at_exit()
    return Renderer(), True


@cache
def _at_exit() -> None:
    atexit.register(close)
