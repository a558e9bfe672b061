from __future__ import annotations

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


def written(path: Path, host: object, pid: object, started: object) -> None:
    path.write_text(json.dumps([host, pid, started]))


def test_one_owns_it_until_it_lets_go(path: Path) -> None:
    first, second = Owner(path), Owner(path)
    assert first.claim() and not second.claim()
    host, pid, started = json.loads(path.read_bytes())
    assert pid == os.getpid() and host and started
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
            assert json.loads((tmp_path / "lock.owner").read_bytes())[1] == os.getpid()
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
        written(path, owner._host(), gone.pid, started)
        claimed = Owner(path)
        assert claimed.claim()
        claimed.release()


def test_a_process_with_a_dead_ones_number_is_not_it(path: Path) -> None:
    written(path, owner._host(), os.getpid(), "1")
    assert Owner(path).claim()
    written(path, owner._host(), os.getpid(), owner._started(os.getpid()))
    assert not Owner(path).claim()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"5", b'["elsewhere", 1, "1"]', b'["elsewhere", "x", null]'])
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
    written(path, owner._host(), os.getpid(), "1")
    slow, fast, judge = Owner(path), Owner(path), Owner._is_stale
    claimed: list[bool] = []

    def late(self: Owner, judged: os.stat_result, content: bytes) -> bool:
        stale = judge(self, judged, content)
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
