from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli.main import run
from pipeline.flow.locking import make_lock
from pipeline.flow.session import Session
from tests import zoo
from tests.projects import edit, make_project


@pytest.mark.parametrize(
    ("defect", "code", "mended", "left"), [("eos-missing", 0, 1, 0), ("turns-do-not-end", 1, 0, 1)]
)
def test_what_is_mended_what_is_left_and_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], defect: str, code: int, mended: int, left: int
) -> None:
    zoo.DEFECTS[defect].make(tmp_path / "broken.gguf")
    project = make_project(tmp_path / "project", tmp_path / "broken.gguf")
    edit(project.specs / "small.yaml", "lint: error", "lint: warning")
    make_lock(Session(project), "small")
    where = ["--project", str(project.root)]
    assert run(["fix", "small", "--dry-run", "--json", *where]) == code
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["written"]) == ("assay.fix/1", False)
    assert (len(answer["mended"]), len(answer["left"]), len(answer["files"])) == (mended, left, mended)
    assert run(["fix", "small", *where]) == code
    said = capsys.readouterr().out
    assert f"small: {mended} finding{'s' * (mended != 1)} mended, {left} left" in said
    assert ("-> assay lock small" in said) == bool(mended)
    assert ("fix: " in said) == bool(left)


def test_a_finding_that_can_be_fixed_says_how(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zoo.DEFECTS["eos-missing"].make(tmp_path / "broken.gguf")
    project = make_project(tmp_path / "project", tmp_path / "broken.gguf")
    run(["lint", "small", "--project", str(project.root), "--select", "A201"])
    assert "(assay fix small --code A201)" in capsys.readouterr().out
    run(["lint", str(tmp_path / "broken.gguf"), "--select", "A201"])
    assert "assay fix" not in capsys.readouterr().out  # there is no spec to write to
