from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gguf

from pipeline.lint.model import Severity
from pipeline.runtime.build import EngineBuild
from tests import zoo
from tests.lint.made import asked
from tests.lint.subjects import findings, one, sound


def test_a_tag_that_is_ordinary_text(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A603", asked(tmp_path, "html-tag-ends-answers", engine_build), Severity.INFO)
    assert "'</s>'" in found.message and str(zoo.token("letter")) in found.evidence


def test_a_control_token_may_end_answers(tmp_path: Path, engine_build: EngineBuild) -> None:
    made = asked(tmp_path, zoo.with_token("</s>", gguf.TokenType.CONTROL), engine_build)
    assert findings("A603", made) == []


def test_what_the_file_names_is_judged_by_others(tmp_path: Path, engine_build: EngineBuild) -> None:
    for name in ("eom-is-a-word", "eos-is-a-word", "eos-not-control"):
        assert findings("A603", asked(tmp_path, name, engine_build)) == [], name


def test_a_sound_model_has_none(engine_build: EngineBuild) -> None:
    assert findings("A603", replace(sound(), engine=engine_build)) == []
