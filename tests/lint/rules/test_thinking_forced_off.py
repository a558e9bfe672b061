from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.lint.model import Severity
from pipeline.runtime.build import EngineBuild
from tests import zoo
from tests.lint.made import asked
from tests.lint.subjects import findings, one, sound

THINKS = (
    "{%- if enable_thinking is defined and enable_thinking is false -%}<think></think>{%- else -%}<think>{%- endif -%}"
)


def test_a_template_that_the_server_takes_for_one_without_thinking(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A615", asked(tmp_path, "thinking-forced-off", engine_build), Severity.WARNING)
    assert "a request that says nothing gets" in found.evidence and "</think>" in found.evidence


def test_thinking_that_the_server_sees_is_left_on(tmp_path: Path, engine_build: EngineBuild) -> None:
    opened = zoo.edited(zoo.OPENING, zoo.OPENING.replace("-}}", "-}}" + THINKS))
    assert findings("A615", asked(tmp_path, opened, engine_build)) == []


def test_a_template_that_is_off_without_the_variable_is_its_publishers_choice(
    tmp_path: Path, engine_build: EngineBuild
) -> None:
    assert findings("A615", asked(tmp_path, "thinking-off-unless-asked", engine_build)) == []


def test_a_model_without_thinking(engine_build: EngineBuild) -> None:
    assert findings("A615", replace(sound(), engine=engine_build)) == []
