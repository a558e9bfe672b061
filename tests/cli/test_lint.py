from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.main import run
from tests import zoo
from tests.cli.conftest import Ask


@pytest.fixture
def refused(tmp_path: Path) -> str:
    """A file whose vocabulary the engine refuses, which its header does not show."""
    zoo.DEFECTS["suppressed-tokens-are-text"].make(tmp_path / "refused.gguf")
    return str(tmp_path / "refused.gguf")


def answer(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
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


def test_a_file_that_can_not_be_read_keeps_no_other_from_being_judged(
    refused: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("cut", "cut too"):
        (tmp_path / f"{name}.gguf").write_bytes(b"GGUF\3")
    cut = [str(tmp_path / "cut.gguf"), str(tmp_path / "cut too.gguf")]
    assert run(["lint", cut[0], refused, cut[1], "--stage", "header", "--json"]) == 2
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert [result["target"] for result in told["results"]] == [refused]
    assert [(one["exit_code"], "cut" in one["message"], bool(one["hint"])) for one in told["errors"]] == [
        (2, True, True)
    ] * 2
    assert said.err.count("error: ") == 2
    baseline = tmp_path / "baseline.json"
    assert run(["lint", *cut, "--stage", "header", "--write-baseline", str(baseline)]) == 2
    assert not baseline.exists(), "it would lack their findings"
    capsys.readouterr()
    assert run(["lint", cut[0], "--stage", "header", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["schema"] == "assay.error/1"


@pytest.mark.parametrize("given", [["A1,A2"], ["A1", "A2"], ["a1 ,A2,"]])
def test_rules_are_chosen_with_commas_or_one_by_one(
    given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo.DEFECTS["no-template"].make(tmp_path / "bare.gguf")
    ask = ["lint", str(tmp_path / "bare.gguf"), "--stage", "header", "--json"]
    run([*ask, *(part for one in given for part in ("--select", one))])
    found = answer(capsys)
    judged = [one["code"] for one in found["findings"]]
    codes = {*judged, *found["not_evaluated"]}
    assert judged == ["A101"] and {code[:2] for code in codes} == {"A1", "A2"}
    run([*ask, *(part for one in given for part in ("--ignore", one))])
    left = answer(capsys)
    assert left["findings"] == [] and {code[:2] for code in left["not_evaluated"]} & {"A1", "A2"} == set()


def test_a_choice_that_names_nothing_or_no_rule_is_refused(ask: Ask, refused: str) -> None:
    for given, said in (("", "names nothing"), (",", "names nothing"), ("A1,A9", "no rule begins with 'A9'")):
        code, out, err = ask("lint", refused, "--stage", "header", "--select", given)
        assert (code, out) == (2, "") and said in err
