from __future__ import annotations

from pathlib import Path

from pipeline.lint.model import Severity
from pipeline.runtime.answer import Answer
from pipeline.runtime.build import EngineBuild
from tests.lint.made import asked
from tests.lint.played import CALL, CAME, played_sound, scene, subject_that_played, take
from tests.lint.subjects import findings, one


def test_a_call_cut_short_that_differs(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A708", asked(tmp_path, "arguments-before-the-name", engine_build), Severity.INFO)
    assert "a call cut short" in found.message and "streamed: nothing" in found.evidence


def test_the_sound_model(engine_build: EngineBuild) -> None:
    assert findings("A708", played_sound(engine_build)) == []


def test_a_stream_with_other_text() -> None:
    other = take(scene(), streamed=Answer("Fi", finish_reason="stop"))
    found = one("A708", subject_that_played(other), Severity.WARNING)
    assert found.evidence.startswith('came back: whole: content "Fine"; streamed: content "Fi"; written:')


def test_a_stream_that_breaks_the_protocol() -> None:
    broken = Answer("Fine", finish_reason="stop", problems=("more than one finish_reason",))
    found = one("A708", subject_that_played(take(scene(), streamed=broken)), Severity.WARNING)
    assert "more than one finish_reason" in found.evidence


def test_a_finish_reason_that_hides_calls() -> None:
    hidden = take(scene("call", calls=(CALL,), content=""), Answer("", "", (CAME,), "stop"))
    assert "finish_reason 'stop'" in one("A708", subject_that_played(hidden), Severity.WARNING).evidence
