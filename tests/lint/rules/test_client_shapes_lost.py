from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from pipeline.runtime.build import EngineBuild
from tests import zoo
from tests.lint.made import asked
from tests.lint.subjects import findings, one, sound


def test_parts_of_an_answer_that_are_lost(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A618", asked(tmp_path, "parts-of-answers-lost", engine_build), Severity.WARNING)
    assert found.message == "an answer whose content is a list of parts is lost in llama-server's prompt"


def test_a_developers_message_that_is_lost(tmp_path: Path, engine_build: EngineBuild) -> None:
    # llama-server leaves the role as it is in templates of this family, and this one knows nothing of it.
    start = "{%- for message in conversation -%}"
    family = zoo.replaced_texts(
        old1=start, new1="{#- <|channel|> -#}" + start.replace("-%}", "if message.role != 'developer' -%}")
    )
    found = one("A618", asked(tmp_path, family, engine_build), Severity.WARNING)
    assert "a message of the role developer" in found.message


def test_what_the_template_loses_in_any_shape_is_the_headers(tmp_path: Path, engine_build: EngineBuild) -> None:
    reason = rules()["A618"].skip(asked(tmp_path, "template-escapes-html", engine_build))
    assert reason == "A106 says what is wrong"


def test_a_sound_model_keeps_all_shapes(engine_build: EngineBuild) -> None:
    assert findings("A618", replace(sound(), engine=engine_build)) == []
