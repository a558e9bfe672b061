from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gguf

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from pipeline.runtime.build import EngineBuild
from tests import zoo
from tests.lint.made import asked
from tests.lint.subjects import findings, one, sound


def test_a_marker_within_a_longer_token(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A604", asked(tmp_path, "start-of-turn-within-a-longer-token", engine_build), Severity.ERROR)
    assert "'<|im_start|>' is read as something else 1 times; '<|im_start|>assistant' stands" in found.message


def test_a_longer_token_that_is_ordinary_text_covers_nothing(tmp_path: Path, engine_build: EngineBuild) -> None:
    made = asked(tmp_path, zoo.with_token("<|im_start|>assistant", gguf.TokenType.NORMAL), engine_build)
    assert findings("A604", made) == []


def test_an_end_that_is_covered_is_said_once(tmp_path: Path, engine_build: EngineBuild) -> None:
    made = asked(tmp_path, "end-of-turn-within-a-longer-token", engine_build)
    assert rules()["A604"].skip(made) == "A602 says what is wrong"


def test_a_marker_typed_as_text_is_the_headers(tmp_path: Path, engine_build: EngineBuild) -> None:
    assert rules()["A604"].skip(asked(tmp_path, "turns-begin-with-text", engine_build)) == "A205 says what is wrong"


def test_a_sound_model_reads_its_markers(engine_build: EngineBuild) -> None:
    assert findings("A604", replace(sound(), engine=engine_build)) == []
