from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.core import owner
from pipeline.core.errors import UsageError
from pipeline.core.files import locked
from pipeline.core.owner import Owner
from tests.projects import until

ROOT = Path(__file__).parents[2]
# A process in whose world the kernel's lock means nothing, as on some network file systems.
HOLD = """
import fcntl, sys, time
from pathlib import Path
fcntl.flock = lambda *arguments: None
from pipeline.core.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock.owner"


@pytest.fixture
def no_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *arguments: None)


def hold(path: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    return process


def written(path: Path, pid: object, started: object, *, machine: str = "", world: str = "") -> None:
    path.write_text(json.dumps([machine or owner._machine(), world or owner._world(), pid, started]))


def test_one_owns_it_until_it_lets_go(path: Path) -> None:
    first, second = Owner(path), Owner(path)
    assert first.claim() and not second.claim()
    machine, world, pid, started = json.loads(path.read_bytes())
    assert pid == os.getpid() and machine and world and started
    first.release()
    assert not path.exists() and second.claim()
    first.release()
    assert path.exists(), "it is not the first's any more"
    second.release()
    assert list(path.parent.iterdir()) == []


@pytest.mark.usefixtures("no_flock")
def test_another_process_is_kept_out_without_the_kernels_help(tmp_path: Path) -> None:
    with hold(tmp_path / "lock") as other:
        with pytest.raises(UsageError, match="held by another process"), locked(tmp_path / "lock", wait=0.2):
            pytest.fail("two have the lock")
        threading.Timer(0.2, other.kill).start()
        with locked(tmp_path / "lock", wait=20):  # it is dead, though nobody has buried it yet
            assert json.loads((tmp_path / "lock.owner").read_bytes())[2] == os.getpid()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


@pytest.mark.usefixtures("no_flock")
def test_threads_keep_each_other_out(tmp_path: Path) -> None:
    inside, most, turns = 0, 0, 0

    def work() -> None:
        nonlocal inside, most, turns
        for _ in range(3):
            with locked(tmp_path / "lock", wait=30):
                inside += 1
                most = max(most, inside)
                time.sleep(0.002)
                inside -= 1
                turns += 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, turns) == (1, 18)


def test_a_process_that_is_gone_owns_nothing(path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    for started in ("", "1", None):
        written(path, gone.pid, started)
        claimed = Owner(path)
        assert claimed.claim()
        claimed.release()


def test_a_process_with_a_dead_ones_number_is_not_it(path: Path) -> None:
    written(path, os.getpid(), "1")
    assert Owner(path).claim()
    written(path, os.getpid(), owner._started(os.getpid()))
    assert not Owner(path).claim()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"5", b'["elsewhere", "w", 1, "1"]', b'["x", 1, "y", null]'])
def test_of_another_host_only_the_age_tells(path: Path, content: bytes) -> None:
    """What can't be read is treated as such: it may be that its owner had no room to write."""
    path.write_bytes(content)
    assert not Owner(path).claim()
    old = time.time() - owner._STALE - 1
    os.utime(path, (old, old))
    claimed = Owner(path)
    assert claimed.claim()
    claimed.release()
    assert list(path.parent.iterdir()) == []


def test_of_another_container_the_kernels_lock_tells(path: Path) -> None:
    """Its processes can't be seen from here, but the kernel is the same; of another machine's kernel it knows nothing."""
    written(path, os.getpid(), "1", world="pid:[1]")
    assert not Owner(path).claim()
    claimed = Owner(path)
    assert claimed.claim(alone=True)
    claimed.release()
    written(path, os.getpid(), "1", machine="elsewhere", world="pid:[1]")
    assert not Owner(path).claim(alone=True)


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_the_kernels_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path / "lock"):
        with pytest.raises(UsageError, match="held by another process"), locked(tmp_path / "lock", wait=0.0):
            pytest.fail("two have the lock")
        written(tmp_path / "lock.owner", os.getpid(), "1", world="pid:[1]")
        with pytest.raises(UsageError, match="held by another process"), locked(tmp_path / "lock", wait=0.0):
            pytest.fail("of a container nobody knows")


def test_an_owner_shows_that_it_lives(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "_BEAT", 0.05)
    mine = Owner(path)
    assert mine.claim()
    os.utime(path, (1, 1))
    until(lambda: path.stat().st_mtime > 1)
    mine.release()
    assert not path.exists()


def test_one_that_comes_too_late_to_bury_takes_nothing_from_the_new_owner(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It judged the old file, and finds the new owner's in its place."""
    written(path, os.getpid(), "1")
    slow, fast, judge = Owner(path), Owner(path), Owner._is_stale
    claimed: list[bool] = []

    def late(self: Owner, judged: os.stat_result, content: bytes, alone: bool) -> bool:
        stale = judge(self, judged, content, alone)
        if self is slow and not claimed:
            claimed.append(fast.claim())
        return stale

    monkeypatch.setattr(Owner, "_is_stale", late)
    assert not slow.claim() and claimed == [True]
    assert path.exists() and not Owner(path).claim()
    fast.release()
    assert list(path.parent.iterdir()) == []


def test_a_wait_can_be_ended(tmp_path: Path) -> None:
    over = threading.Event()
    threading.Timer(0.2, over.set).start()
    with (
        locked(tmp_path / "lock"),
        pytest.raises(UsageError, match="held by another process"),
        locked(tmp_path / "lock", over=over.is_set),
    ):
        pytest.fail("two have the lock")
    assert over.is_set()
