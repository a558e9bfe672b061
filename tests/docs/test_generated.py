from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_reference_is_what_the_code_says() -> None:
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stale_page_is_found(tmp_path: Path) -> None:
    """The check itself can fail: on a copy in which one page was edited by hand."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    (tmp_path / "evals").symlink_to(ROOT / "evals")
    page = tmp_path / "docs" / "reference" / "rules.md"
    page.write_text(page.read_text() + "edited\n")
    command = [sys.executable, str(tmp_path / "docs" / "generate.py"), "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "rules.md is stale" in done.stdout
