"""Child processes that never outlive us: run to the end (``run``) or kept while needed (``spawn``).

A child has an environment given whole and a session of its own (so that Ctrl-C in a terminal reaches us alone, and we
stop it in our order); on Linux the kernel kills it when we die, ``kill -9`` included.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from resource import struct_rusage
from types import TracebackType
from typing import IO

from pipeline.core.errors import EngineError

LAUNCHER = Path(__file__).with_name("_launch.py")
GRACE_SECONDS = 3.0
TAIL_BYTES = 65536
_POLL_SECONDS = 0.02
# After a child's end its output is complete, unless a process it left behind holds the pipe.
_DRAIN_SECONDS = 0.5
_DRAIN_MOST = 60.0  # seconds, where what it left behind goes on writing

Line = Callable[[str], object]


@dataclass(frozen=True)
class Completed:
    """How a child ended. ``returncode`` is negative for a signal; ``cpu_s`` is user and system time of the child and
    of those it waited for. The launcher's start is part of it: some 15 ms.
    """

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    wall_s: float
    cpu_s: float

    @property
    def ending(self) -> str:
        """The end in words."""
        return ending(self.returncode)

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of stderr."""
        return "\n".join(self.stderr.splitlines()[-lines:])


def ending(returncode: int) -> str:
    """Say in words how a process ended: ``exit code 1``, ``killed by SIGKILL``."""
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    timeout: float | None = None,
    cwd: Path | None = None,
    on_start: Callable[[int], object] | None = None,
    on_stdout: Line | None = None,
    on_stderr: Line | None = None,
) -> Completed:
    """Run a program to its end and return what it wrote, however it ended.

    ``on_start`` is told the pid; ``on_stdout`` and ``on_stderr`` get each line, without its end, when it is written,
    in the caller's thread. Whatever interrupts the wait (Ctrl-C, an exception in a callback, the timeout in seconds)
    first stops the child's group. Raises EngineError when the program cannot be started or the time is over.
    """
    args = _argv(argv)
    started = time.monotonic()
    popen = _launch(args, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert popen.stdout is not None
    assert popen.stderr is not None
    out, err = _Stream(popen.stdout, on_stdout), _Stream(popen.stderr, on_stderr)
    try:
        if on_start:
            on_start(popen.pid)
        usage, ended = _collect(popen, (out, err), None if timeout is None else started + timeout)
    except TimeoutError:
        _stop(popen, GRACE_SECONDS)
        raise EngineError(
            f"{Path(args[0]).name} did not end within {timeout:g} s\n{err.text()[-2000:]}".rstrip(),
            hint="is the machine overloaded? allow more time, or ask for less",
        ) from None
    except BaseException:
        _stop(popen, GRACE_SECONDS)
        raise
    finally:
        popen.stdout.close()
        popen.stderr.close()
    return Completed(args, popen.returncode, out.text(), err.text(), ended - started, usage.ru_utime + usage.ru_stime)


class Process:
    """A long-lived child that writes to a log file. As a context manager it is stopped at the end."""

    def __init__(self, popen: subprocess.Popen[bytes], argv: tuple[str, ...], log: Path) -> None:
        self._popen = popen
        self.argv = argv
        self.log = log

    @property
    def pid(self) -> int:
        """The program's own pid."""
        return self._popen.pid

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs; negative for a signal."""
        return _poll(self._popen)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end, at most ``timeout`` seconds; return as ``poll`` does."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout)
        return self._popen.returncode

    def stop(self, grace_s: float = GRACE_SECONDS) -> int:
        """End it and its group, and return the exit code: SIGTERM, after ``grace_s`` another, after as long again
        SIGKILL.

        llama-server waits for open streams at the first SIGTERM, for ever if need be, and ends at once at the second.
        Safe to call twice, and for a process that has ended.
        """
        return _stop(self._popen, grace_s)

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines that it wrote."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
                text = file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def spawn(argv: Sequence[str | Path], *, env: Mapping[str, str], log: Path, cwd: Path | None = None) -> Process:
    """Start a program that goes on running; stdout and stderr are appended to ``log`` (made with mode 0600).

    Raises EngineError when it cannot be started.
    """
    args = _argv(argv)
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        popen = _launch(args, env=env, cwd=cwd, stdout=handle, stderr=handle)
    finally:
        os.close(handle)
    return Process(popen, args, log)


def _argv(argv: Sequence[str | Path]) -> tuple[str, ...]:
    args = tuple(str(part) for part in argv)
    found = shutil.which(args[0])
    if found is None:
        what = "is not an executable file" if Path(args[0]).exists() else "does not exist"
        raise EngineError(f"cannot start {args[0]}: it {what}", hint="see what is missing: assay doctor")
    return (str(Path(found).absolute()), *args[1:])


def _launch(
    args: tuple[str, ...], *, env: Mapping[str, str], cwd: Path | None, stdout: int, stderr: int
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), "1" if "LC_CTYPE" in env else "0", *args]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )

    pending: Future[subprocess.Popen[bytes]] = _keeper(os.getpid()).submit(start)
    try:
        return pending.result()
    except OSError as error:
        raise EngineError(
            f"cannot start {args[0]}: {error.strerror}", hint="see what is missing: assay doctor"
        ) from error
    except BaseException:  # Ctrl-C between the start and its return: the child exists, and nobody else knows of it
        pending.add_done_callback(_abandon)
        raise


def _abandon(pending: Future[subprocess.Popen[bytes]]) -> None:
    if not pending.cancelled() and pending.exception() is None:
        _stop(pending.result(), 0)


@cache
def _keeper(pid: int) -> ThreadPoolExecutor:
    # The kernel's notion of a dead parent is the end of the *thread* that made the child, so all are made by one that
    # stays.
    return ThreadPoolExecutor(1, thread_name_prefix="children")


class _Stream:
    """One pipe: what came so far, and each whole line to a callback."""

    def __init__(self, pipe: IO[bytes], on_line: Line | None) -> None:
        self.pipe = pipe
        self._on_line = on_line
        self._content = bytearray()
        self._told = 0
        os.set_blocking(pipe.fileno(), False)

    def read(self) -> bool:
        """Take what is there; False at the end."""
        try:
            chunk = os.read(self.pipe.fileno(), 65536)
        except BlockingIOError:
            return True
        self._content += chunk
        if self._on_line:
            end = len(self._content) if not chunk else self._content.rfind(b"\n") + 1
            whole = bytes(self._content[self._told : end]).decode(errors="replace")
            self._told = max(self._told, end)
            for line in whole.removesuffix("\n").split("\n") if whole else ():
                self._on_line(line.removesuffix("\r"))
        return bool(chunk)

    def text(self) -> str:
        return self._content.decode(errors="replace")


def _collect(
    popen: subprocess.Popen[bytes], streams: Sequence[_Stream], deadline: float | None
) -> tuple[struct_rusage, float]:
    """Read until the child has ended and its output with it; return its usage and when it ended. Raises
    TimeoutError.
    """
    usage: struct_rusage | None = None
    ended = 0.0
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream.pipe, selectors.EVENT_READ, stream)
        while usage is None or selector.get_map():
            read = time.monotonic()
            ready = selector.select(_POLL_SECONDS if selector.get_map() else _POLL_SECONDS / 10)
            for key, _ in ready:
                if not key.data.read():
                    selector.unregister(key.fileobj)
            if usage is None:
                usage = _reap(popen)
                ended = time.monotonic()
                if usage is None and deadline is not None and ended > deadline:
                    raise TimeoutError
            # All that it wrote is in the pipes: no clock, only an empty pipe tells that it was read.
            elif read > ended + (_DRAIN_SECONDS if not ready else _DRAIN_MOST):
                break
    _signal(popen, signal.SIGKILL)  # what it left behind in its group
    return usage, ended


def _reap(popen: subprocess.Popen[bytes]) -> struct_rusage | None:
    pid, status, usage = os.wait4(popen.pid, os.WNOHANG)
    if pid == 0:
        return None
    popen.returncode = os.waitstatus_to_exitcode(status)
    return usage


def _stop(popen: subprocess.Popen[bytes], grace_s: float) -> int:
    if _poll(popen) is None:
        try:
            for _ in range(2):
                _signal(popen, signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    popen.wait(grace_s)
                    break
        finally:  # an impatient second Ctrl-C leaves nothing behind either
            _signal(popen, signal.SIGKILL)
            popen.wait()
    return popen.returncode


def _poll(popen: subprocess.Popen[bytes]) -> int | None:
    if popen.returncode is None and popen.poll() is not None:
        _signal(popen, signal.SIGKILL)  # what it left behind in its group
    return popen.returncode


def _signal(popen: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # The group's id is the child's pid, which is ours until the child is reaped; so nobody signals later than right
    # after that.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(popen.pid, number)
