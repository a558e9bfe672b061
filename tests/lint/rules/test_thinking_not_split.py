from __future__ import annotations

from pathlib import Path

from pipeline.lint.model import Severity
from pipeline.runtime.answer import Answer
from pipeline.runtime.build import EngineBuild
from tests import zoo
from tests.lint.made import asked
from tests.lint.played import played_sound, scene, subject_that_played, take
from tests.lint.subjects import findings, one


def test_thoughts_that_stay_in_the_answer(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A707", asked(tmp_path, "thoughts-without-a-marker", engine_build), Severity.WARNING)
    assert "(thought: Quernstone thought)" in found.evidence


def test_the_sound_model(engine_build: EngineBuild) -> None:
    assert findings("A707", played_sound(engine_build)) == []


def test_thoughts_that_the_template_does_not_show_are_worth_knowing() -> None:
    mixed = Answer("<think>Hm</think>Fine", finish_reason="stop")
    guessed = take(scene("thought", thought="Hm", guessed=True), mixed)
    assert one("A707", subject_that_played(guessed), Severity.INFO)


def test_a_template_that_has_the_server_split(tmp_path: Path, engine_build: EngineBuild) -> None:
    thinks = (
        "{%- if message.reasoning_content -%}{{- '<think>' + message.reasoning_content + '</think>' -}}{%- endif -%}\n"
    )
    assert findings("A707", asked(tmp_path, zoo.edited(zoo.CONTENT, thinks + zoo.CONTENT), engine_build)) == []
