from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli.main import run
from tests import zoo


@pytest.fixture
def refused(tmp_path: Path) -> str:
    """A file whose vocabulary the engine refuses, which its header does not show."""
    zoo.DEFECTS["suppressed-tokens-are-text"].make(tmp_path / "refused.gguf")
    return str(tmp_path / "refused.gguf")


def answer(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    (result,) = json.loads(capsys.readouterr().out)["results"]
    return dict(result)


@pytest.mark.parametrize(("stage", "code"), [("header", 0), ("vocabulary", 1), ("hollow", 1)])
def test_it_goes_no_further_than_a_stage(
    stage: str, code: int, refused: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lint", refused, "--stage", stage, "--json"]) == code
    found = answer(capsys)
    assert ("A601" in str(found["findings"])) == (code == 1)
    assert ("the stage hollow was not asked for" in str(found["not_evaluated"])) == (stage != "hollow")


def test_where_there_is_no_engine_that_is_said_and_harms_nothing(
    refused: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASSAY_ENGINE", str(tmp_path))
    assert run(["lint", refused, "--json"]) == 0
    found = answer(capsys)
    assert found["findings"] == [] and "there is no engine to ask" in str(found["not_evaluated"])


def test_an_engine_that_the_user_names_must_be_there(
    refused: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["lint", refused, "--engine", str(tmp_path)]) == 6
    assert "no llama-server" in capsys.readouterr().err
    assert run(["lint", refused, "--engine", str(tmp_path), "--stage", "header"]) == 0
