from __future__ import annotations

from pathlib import Path

from pipeline.lint.model import Severity
from pipeline.runtime.answer import Answer, Call
from pipeline.runtime.build import EngineBuild
from tests.lint.made import asked
from tests.lint.played import CALL, played_sound, scene, subject_that_played, take
from tests.lint.subjects import findings, one


def test_quotes_that_are_not_escaped(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A705", asked(tmp_path, "quotes-not-escaped", engine_build), Severity.WARNING)
    assert "quotes, a backslash" in found.message


def test_the_sound_model(engine_build: EngineBuild) -> None:
    assert findings("A705", played_sound(engine_build)) == []


def test_a_marker_in_an_argument_is_worth_knowing() -> None:
    cut = Answer("", "", (Call("a", "quern_lookup", "{}"),), "tool_calls")
    marked = take(scene("marked", calls=(CALL,), content=""), cut)
    assert "marker in an argument" in one("A705", subject_that_played(marked), Severity.INFO).message


def test_where_the_plain_call_is_not_read_at_all_that_is_said_alone() -> None:
    unread = take(scene("call", calls=(CALL,), content=""), Answer("call", finish_reason="stop"))
    other = take(scene("three", calls=(CALL,), content=""), Answer("", "", (Call("a", "b", "{}"),), "tool_calls"))
    subject = subject_that_played(unread, other)
    assert findings("A705", subject) == [] and len(findings("A703", subject)) == 1
