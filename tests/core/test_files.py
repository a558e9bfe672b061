from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.core.errors import UsageError
from pipeline.core.files import atomic_write, fsync_folder, locked

ROOT = Path(__file__).parents[2]


def test_a_file_is_written_whole_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    atomic_write(path, "ä", 0o600)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("ä", 0o600)
    atomic_write(path, b"other")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"other", 0o644)
    assert [child.name for child in path.parent.iterdir()] == ["file"]
    fsync_folder(path.parent)


def test_what_fails_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic_write(path, "old")
    with pytest.raises(UnicodeEncodeError):
        atomic_write(path, "\ud800")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        atomic_write(tmp_path / "folder", "a folder stands there")
    assert path.read_text() == "old" and sorted(child.name for child in tmp_path.iterdir()) == ["file", "folder"]


def test_readers_never_see_a_part(tmp_path: Path) -> None:
    path, size, seen = tmp_path / "file", 1 << 20, set()
    atomic_write(path, b"0" * size)

    def write() -> None:
        for number in range(40):
            atomic_write(path, str(number % 10).encode() * size)

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        content = path.read_bytes()
        seen.add((len(content), len(set(content))))
    assert seen == {(size, 1)}


HOLD = """
import sys, time
from pathlib import Path
from pipeline.core.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_kernel_frees_the_lock_of_a_dead_process(tmp_path: Path) -> None:
    path, told = tmp_path / "some" / "lock", []
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, env=environment) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with (
            pytest.raises(UsageError, match="held by another process"),
            locked(path, wait=0.1, held=lambda: told.append("!")),
        ):
            pytest.fail("two have the lock")
        assert told == ["!"]
        threading.Timer(0.2, other.kill).start()
        began = time.monotonic()
        with locked(path, wait=20):
            assert time.monotonic() - began > 0.1
    with locked(path, wait=0, held=lambda: told.append("again")):
        assert told == ["!"]


def test_a_lock_ends_with_its_block_whatever_happens(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path / "lock"):
        raise RuntimeError
    with locked(tmp_path / "lock", wait=0):
        pass
