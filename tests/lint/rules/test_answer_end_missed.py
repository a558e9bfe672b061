from __future__ import annotations

from pathlib import Path

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from pipeline.runtime.answer import Answer
from pipeline.runtime.build import EngineBuild
from tests.lint.made import asked
from tests.lint.played import played_sound, scene, subject_that_played, take
from tests.lint.subjects import findings, one


def test_calls_that_the_engine_does_not_let_end(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A701", asked(tmp_path, "calls-end-in-another-token", engine_build), Severity.WARNING)
    assert (
        found.message.startswith("the answer does not end where the template ends it: a call")
        and "not ended" in found.evidence
    )


def test_the_sound_model(engine_build: EngineBuild) -> None:
    assert findings("A701", played_sound(engine_build)) == []


def test_a_token_that_the_engine_does_not_know_for_an_end_is_the_files_fault(engine_build: EngineBuild) -> None:
    endless = take(scene(text="Fine<|fin|>", end="<|fin|>"), Answer("Fine on on", finish_reason="length"))
    subject = subject_that_played(endless, engine=engine_build)
    assert one("A701", subject, Severity.ERROR).fix.startswith("name the token as EOS")


def test_an_answer_that_ends_in_its_middle(engine_build: EngineBuild) -> None:
    early = take(scene("unended", end="", ended=False), Answer("Fine", finish_reason="stop"))
    found = one("A701", subject_that_played(early, engine=engine_build), Severity.ERROR)
    assert "an answer without its end" in found.message


def test_what_other_rules_have_found_is_not_said_again(tmp_path: Path, engine_build: EngineBuild) -> None:
    reason = rules()["A701"].skip(asked(tmp_path, "end-of-turn-not-named", engine_build))
    assert reason == "A201 says what is wrong"
