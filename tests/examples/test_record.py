"""The example of the record in pandas runs, cell by cell, on a project that was assayed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pipeline.core.project import Project

EXAMPLE = Path(__file__).parents[2] / "examples" / "record.py"


def test_every_cell_runs_and_shows_something(assayed: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE, "-f", "kernel.json"], cwd=assayed.root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for said in ("lint", "check", "eval", "bench", "small", "streams=1", "not right", "answers", "median"):
        assert said in done.stdout
    assert EXAMPLE.read_text().count("# %%") == EXAMPLE.read_text().count("\nprint(") + EXAMPLE.read_text().count(
        "`# %%`"
    )
