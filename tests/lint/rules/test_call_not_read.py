from __future__ import annotations

from pathlib import Path

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from pipeline.runtime.answer import Answer
from pipeline.runtime.build import EngineBuild
from tests.lint.made import asked
from tests.lint.played import CALL, played_sound, scene, subject_that_played, take
from tests.lint.subjects import findings, one


def test_calls_that_stay_in_the_content(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A703", asked(tmp_path, "calls-taken-for-another-familys", engine_build), Severity.ERROR)
    assert "came back: content" in found.evidence and "two calls" in found.message


def test_the_sound_model(engine_build: EngineBuild) -> None:
    assert findings("A703", played_sound(engine_build)) == []


def test_a_warning_where_nobody_asks_for_tools(tmp_path: Path, engine_build: EngineBuild) -> None:
    subject = asked(tmp_path, "calls-taken-for-another-familys", engine_build, checks=["stop-tokens"])
    assert one("A703", subject, Severity.WARNING)


def test_calls_in_the_reasoning() -> None:
    lost = take(scene("call", calls=(CALL,), content=""), Answer(reasoning="<tool_call>", finish_reason="stop"))
    assert "came back: reasoning" in one("A703", subject_that_played(lost), Severity.ERROR).evidence


def test_a_template_without_tools_is_not_judged() -> None:
    subject = subject_that_played(take(scene()), left_out={"call": "the template has no tools"})
    assert rules()["A703"].skip(subject) == "the template has no tools"
