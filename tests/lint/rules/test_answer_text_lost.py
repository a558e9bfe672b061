from __future__ import annotations

from pathlib import Path

from pipeline.lint.model import Severity
from pipeline.runtime.answer import Answer
from pipeline.runtime.build import EngineBuild
from tests.lint.made import asked
from tests.lint.played import played_sound, scene, subject_that_played, take
from tests.lint.subjects import findings, one


def test_text_after_calls_that_is_lost(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A706", asked(tmp_path, "content-after-calls", engine_build), Severity.WARNING)
    assert found.message.endswith("an answer and a call")


def test_the_sound_model(engine_build: EngineBuild) -> None:
    assert findings("A706", played_sound(engine_build)) == []


def test_letters_that_come_out_broken() -> None:
    broken = take(scene("letters", content="grün"), Answer("gr\ufffd\ufffdn", finish_reason="stop"))
    assert "letters of many scripts" in one("A706", subject_that_played(broken), Severity.WARNING).message


def test_bare_json_that_vanishes_is_worth_knowing() -> None:
    bare = take(scene("bare", content="{}"), Answer("", finish_reason="stop"))
    assert one("A706", subject_that_played(bare), Severity.INFO)
