from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.lint.model import Severity
from pipeline.lint.probes import USER
from pipeline.runtime.build import EngineBuild
from tests import zoo
from tests.lint.made import asked
from tests.lint.subjects import findings, one, sound

CALLS = "{%- if message.tool_calls -%}"


def test_text_before_continue(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A612", asked(tmp_path, "text-before-continue", engine_build), Severity.ERROR)
    assert "the user's first message in the conversation 'user'" in found.message
    ours, theirs = found.evidence.split(", the server ")
    assert USER in ours and USER not in theirs


def test_a_template_that_looks_like_another_family(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A612", asked(tmp_path, "looks-like-another-family", engine_build), Severity.ERROR)
    assert "the assistant's answer" in found.message and "reasoned" in found.message


def test_calls_weigh_less_where_nobody_asks_for_tools(tmp_path: Path, engine_build: EngineBuild) -> None:
    gone = zoo.edited(CALLS, CALLS.replace("-%}", "and message.content is none -%}"))
    found = one("A612", asked(tmp_path, gone, engine_build), Severity.ERROR)
    assert "'round-text'" in found.message and "round-absent" in found.message
    one("A612", asked(tmp_path, gone, engine_build, checks=["stop-tokens"]), Severity.WARNING)


def test_what_the_template_loses_itself_is_not_the_servers(tmp_path: Path, engine_build: EngineBuild) -> None:
    for name in ("template-drops-system", "template-loses-preamble", "template-drops-results"):
        assert findings("A612", asked(tmp_path, name, engine_build)) == [], name


def test_a_sound_model_keeps_all(engine_build: EngineBuild) -> None:
    assert findings("A612", replace(sound(), engine=engine_build)) == []
