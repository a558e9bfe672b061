from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.scratch import OWNER, scratch, sweep

HOLDS = """
import sys
from pipeline.core.scratch import scratch
with scratch(sys.argv[1]) as folder:
    (folder / "weights").write_text("much")
    print(folder, flush=True)
    sys.stdin.read()
"""


def holder(base: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that has a folder in ``base``."""
    pipe = subprocess.PIPE
    started = subprocess.Popen([sys.executable, "-c", HOLDS, str(base)], stdin=pipe, stdout=pipe, text=True)
    assert started.stdout
    return started, Path(started.stdout.readline().strip())


def test_a_folder_goes_with_its_end(tmp_path: Path) -> None:
    with scratch(str(tmp_path)) as folder:
        assert folder.parent == tmp_path and folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").write_text("x")
    assert not folder.exists()


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    (killed, left), (living, kept) = holder(tmp_path), holder(tmp_path)
    with killed, living:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (left / "weights").is_file()
        sweep(str(tmp_path))
        assert not left.exists() and (kept / "weights").is_file()
        living.communicate("")
    assert not kept.exists() and living.returncode == 0


def test_what_is_not_ours_to_judge_stays(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / OWNER).write_text("")
    base = tmp_path / "base"
    base.mkdir()
    (base / "assay-link").symlink_to(elsewhere)
    (base / "assay-file").write_text("x")
    (base / "assay-without").mkdir()
    (base / "other-x").mkdir()
    (base / "other-x" / OWNER).write_text("")
    (base / "assay-by-link").mkdir()
    (base / "assay-by-link" / OWNER).symlink_to(elsewhere / OWNER)
    before = sorted(path.name for path in base.iterdir())
    sweep(str(base))
    assert sorted(path.name for path in base.iterdir()) == before and (elsewhere / OWNER).is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_folders_of_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / "assay-theirs"
    folder.mkdir()
    (folder / OWNER).write_text("")
    os.chown(folder, 12345, 12345)
    sweep(str(tmp_path))
    assert folder.exists()
