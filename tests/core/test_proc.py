"""Children, real ones: well-behaved, stubborn, orphaned."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.core import proc
from pipeline.core.errors import EngineError
from pipeline.core.proc import Process, run, spawn

ENV = {"PATH": "/usr/bin:/bin"}
ROOT = Path(proc.__file__).parents[2]
STUBBORN = "trap '' TERM; echo up; while :; do sleep 0.05; done"

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part is Linux's")


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has reaped yet does not."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone(pid: int, within: float = 10.0) -> bool:
    deadline = time.monotonic() + within
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def up(process: Process) -> Process:
    """Wait until it has written something."""
    while not process.log_tail() and process.poll() is None:
        time.sleep(0.01)
    return process


def test_output_and_ending() -> None:
    done = run(["sh", "-c", "echo out; echo oops >&2; exit 3"], env=ENV)
    assert (done.stdout, done.stderr, done.returncode, done.ending) == ("out\n", "oops\n", 3, "exit code 3")


def test_a_signal_is_a_negative_code() -> None:
    done = run(["sh", "-c", "kill -ILL $$"], env=ENV)
    assert (done.returncode, done.ending) == (-signal.SIGILL, "killed by SIGILL")


def test_the_environment_is_the_callers_alone() -> None:
    assert run(["env"], env={"ONE": "1"}).stdout.splitlines() == ["ONE=1"]
    assert run(["env"], env={"LC_CTYPE": "C.UTF-8"}).stdout.splitlines() == ["LC_CTYPE=C.UTF-8"]


@linux
def test_no_signal_is_ignored() -> None:
    assert int(run(["sed", "-n", "s/^SigIgn:\t//p", "/proc/self/status"], env=ENV).stdout, 16) == 0


def test_large_output_on_both_pipes_does_not_block() -> None:
    done = run(["sh", "-c", "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2"], env=ENV, timeout=60)
    assert (len(done.stdout), len(done.stderr)) == (3000000, 3000000)


def test_lines_come_as_they_are_written() -> None:
    times: list[tuple[str, float]] = []
    run(
        ["sh", "-c", "echo one; sleep 0.4; echo two; printf three"],
        env=ENV,
        on_stdout=lambda line: times.append((line, time.monotonic())),
    )
    assert [line for line, _ in times] == ["one", "two", "three"]
    assert times[1][1] - times[0][1] > 0.3


def test_cpu_time_is_the_childs() -> None:
    busy = "import time\nwhile time.process_time() < 0.4: pass"
    done = run([sys.executable, "-c", busy], env=ENV)
    assert 0.35 < done.cpu_s < done.wall_s + 0.5
    idle = run(["sleep", "0.3"], env=ENV)
    assert idle.cpu_s < 0.2 <= idle.wall_s


def test_too_long_ends_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc, "GRACE_SECONDS", 0.1)
    pids: list[str] = []
    with pytest.raises(EngineError, match=r"sh did not end within 0\.5 s\nbusy"):
        run(["sh", "-c", f"sleep 99 & echo $!; echo busy >&2; {STUBBORN}"], env=ENV, timeout=0.5, on_stdout=pids.append)
    assert gone(int(pids[0]))


def test_what_a_child_leaves_behind_is_ended() -> None:
    began = time.monotonic()
    done = run(["sh", "-c", "sleep 99 & echo $!"], env=ENV)
    assert time.monotonic() - began < 10
    assert gone(int(done.stdout))


def test_an_error_in_a_callback_ends_the_child() -> None:
    pids: list[int] = []

    def refuse(line: str) -> None:
        raise ValueError(line)

    with pytest.raises(ValueError, match="up"):
        run(["sh", "-c", "echo up; exec sleep 99"], env=ENV, on_start=pids.append, on_stdout=refuse)
    assert gone(pids[0])


def test_ctrl_c_ends_the_child() -> None:
    code = (
        "from pipeline.core.proc import run\n"
        "run(['sh', '-c', 'echo up; exec sleep 99'], env={'PATH': '/usr/bin:/bin'},\n"
        "    on_start=lambda pid: print(pid, flush=True))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as ours:
        assert ours.stdout is not None
        child = int(ours.stdout.readline())
        time.sleep(0.2)
        ours.send_signal(signal.SIGINT)
        _, errors = ours.communicate(timeout=20)
    assert b"KeyboardInterrupt" in errors
    assert gone(child)


@pytest.mark.parametrize("program", ["/nonexistent/llama-bench", "no-such-program", "/etc"])
def test_a_program_that_cannot_start(program: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=f"cannot start {program}") as caught:
        run([program], env=ENV)
    assert "assay doctor" in caught.value.hint
    with pytest.raises(EngineError):
        spawn([program], env=ENV, log=tmp_path / "log")


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF not really")
    broken.chmod(0o755)
    done = run([broken], env=ENV)
    assert done.returncode == 127
    assert f"cannot execute {broken}" in done.stderr


def test_a_polite_process_ends_at_the_first_request(tmp_path: Path) -> None:
    process = up(
        spawn(["sh", "-c", "trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done"], env=ENV, log=tmp_path / "log")
    )
    assert process.poll() is None
    assert process.stop(10) == 5
    assert process.stop(10) == 5


def test_a_process_that_wants_to_be_asked_twice(tmp_path: Path) -> None:
    script = "n=0; trap 'n=$((n+1)); [ $n = 2 ] && exit 6' TERM; echo up; while :; do sleep 0.05; done"
    assert up(spawn(["sh", "-c", script], env=ENV, log=tmp_path / "log")).stop(0.5) == 6


def test_a_stubborn_process_is_killed(tmp_path: Path) -> None:
    process = up(spawn(["sh", "-c", STUBBORN], env=ENV, log=tmp_path / "log"))
    began = time.monotonic()
    assert process.stop(0.2) == -signal.SIGKILL
    assert 0.4 <= time.monotonic() - began < 5
    assert not alive(process.pid)


def test_a_context_stops_its_process(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), spawn(["sleep", "99"], env=ENV, log=tmp_path / "log") as process:
        raise KeyboardInterrupt
    assert process.poll() == -signal.SIGTERM


def test_the_log_is_private_and_its_end_is_at_hand(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "log"
    process = spawn(["sh", "-c", "seq 100000; echo last >&2"], env=ENV, log=log)
    assert process.wait(20) == 0
    assert process.log_tail(2) == "100000\nlast"
    assert log.stat().st_mode & 0o777 == 0o600


@linux
def test_a_child_dies_with_a_killed_parent_and_not_with_the_thread_that_made_it(tmp_path: Path) -> None:
    code = (
        "import sys, threading, time; from pathlib import Path; from pipeline.core.proc import spawn\n"
        f"def start(): print(spawn(['sh', '-c', {STUBBORN!r}], env={ENV!r}, log=Path(sys.argv[1])).pid, flush=True)\n"
        "thread = threading.Thread(target=start); thread.start(); thread.join()\n"
        "time.sleep(0.5); print('thread over', flush=True); time.sleep(99)"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "log")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert parent.stdout.readline() == "thread over\n"
        assert alive(child)
        parent.kill()
    assert gone(child)


def test_children_start_from_many_threads() -> None:
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(run(["echo", "x"], env=ENV).stdout)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["x\n"] * 8


@linux
def test_all_that_it_wrote_is_read_however_slow_we_are() -> None:
    """The pipe is large, so that it ends long before we have read it."""
    script = "import fcntl, os; fcntl.fcntl(1, 1031, 1 << 20); os.write(1, b'a line\\n' * 60000)"
    heard: list[str] = []

    def slow(line: str) -> None:
        if len(heard) % 10000 == 0:
            time.sleep(0.2)
        heard.append(line)

    done = run([sys.executable, "-c", script], env=ENV, on_stdout=slow)
    assert len(heard) == 60000 and len(done.stdout) == 7 * 60000
