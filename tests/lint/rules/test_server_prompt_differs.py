from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from pipeline.runtime.build import EngineBuild
from tests import zoo
from tests.lint.made import asked
from tests.lint.subjects import findings, one, sound

ARGUMENTS = "{{- call.function.arguments -}}"
IS_TEXT = "{%- if call.function.arguments is string -%}"
NEEDS_DATE = "{%- if call.function.arguments is mapping -%}{%- set day = date_string[:2] -%}{%- endif -%}"


def test_two_readings_of_one_template(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A614", asked(tmp_path, "splits-at-spaces", engine_build), Severity.WARNING)
    assert "'user' is not the template's (also: turns" in found.message
    assert "'one, two<|im_start|>" in found.evidence and "llama-server 'one, , two<|im" in found.evidence


@pytest.mark.parametrize("text", ["{{ -7 % 3 }}", "{{ 'ÄB' | lower }}", "{{ strftime_now('%Y') }}{{ [1, 'a'] }}"])
def test_other_differences(text: str, tmp_path: Path, engine_build: EngineBuild) -> None:
    one("A614", asked(tmp_path, zoo.led(text), engine_build), Severity.WARNING)


def test_arguments_that_only_the_server_encodes_twice(tmp_path: Path, engine_build: EngineBuild) -> None:
    twice = zoo.replaced_texts(
        old1=ARGUMENTS, new1="{{- call.function.arguments | tojson -}}", old2=IS_TEXT, new2=NEEDS_DATE + IS_TEXT
    )
    found = one("A614", asked(tmp_path, twice, engine_build), Severity.ERROR)
    assert "encodes the arguments of tool calls twice" in found.message
    one("A614", asked(tmp_path, twice, engine_build, checks=["stop-tokens"]), Severity.WARNING)


@pytest.mark.parametrize("name", ["template-reads-clock", "double-bos", "template-drops-system"])
def test_what_is_known_is_left_out(name: str, tmp_path: Path, engine_build: EngineBuild) -> None:
    assert findings("A614", asked(tmp_path, name, engine_build)) == []


def test_lost_text_is_said_once(tmp_path: Path, engine_build: EngineBuild) -> None:
    made = asked(tmp_path, "text-before-continue", engine_build)
    assert rules()["A614"].skip(made) == "A612 says what is wrong"
    made = asked(tmp_path, "template-prints-none", engine_build)
    assert rules()["A614"].skip(made) == "A111 says what is wrong"


def test_a_sound_models_prompts_are_its_templates(engine_build: EngineBuild) -> None:
    assert findings("A614", replace(sound(), engine=engine_build)) == []
