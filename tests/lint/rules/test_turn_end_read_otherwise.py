from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from pipeline.runtime.build import EngineBuild
from tests import zoo
from tests.lint.made import asked
from tests.lint.subjects import findings, one, sound, subject


def test_an_end_token_within_a_longer_one(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A602", asked(tmp_path, "end-of-turn-within-a-longer-token", engine_build), Severity.ERROR)
    assert f"is read as {zoo.token('letter')} '<|im_end|>\\n'" in found.evidence
    assert f"{zoo.token('<|im_end|>')} '<|im_end|>'" in found.evidence


def test_a_sound_model_ends_its_answers(engine_build: EngineBuild) -> None:
    assert findings("A602", replace(sound(), engine=engine_build)) == []


def test_what_the_header_shows_is_not_said_twice(tmp_path: Path, engine_build: EngineBuild) -> None:
    rule = rules()["A602"]
    assert rule.skip(asked(tmp_path, "turns-do-not-end", engine_build)) == "A201 says what is wrong"
    assert rule.skip(asked(tmp_path, "turns-begin-with-text", engine_build)) == "A205 says what is wrong"
    assert rule.skip(asked(tmp_path, "pre-unknown", engine_build)) == "llama.cpp does not take the vocabulary"


def test_without_an_answer_in_the_prompt_there_is_nothing_to_judge(engine_build: EngineBuild) -> None:
    silent = replace(subject(template="{{ messages[0].content }}<|im_end|>"), engine=engine_build)
    assert rules()["A602"].skip(silent)
