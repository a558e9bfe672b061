from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from pipeline.runtime.build import EngineBuild
from tests.lint.made import asked
from tests.lint.subjects import findings, one, sound


def test_tools_that_the_server_does_not_see(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A616", asked(tmp_path, "tools-need-the-date", engine_build), Severity.ERROR)
    assert found.evidence == "/props says supports_tools: false, supports_tool_calls: false"
    one("A616", asked(tmp_path, "tools-need-the-date", engine_build, checks=["stop-tokens"]), Severity.INFO)


def test_what_others_say_is_not_said_twice(tmp_path: Path, engine_build: EngineBuild) -> None:
    rule = rules()["A616"]
    assert rule.skip(asked(tmp_path, "template-drops-tools", engine_build)) == "A105 says what is wrong"
    assert rule.skip(asked(tmp_path, "lists-an-object", engine_build)) == "A613 says what is wrong"


def test_a_sound_models_tools_are_seen(engine_build: EngineBuild) -> None:
    assert findings("A616", replace(sound(), engine=engine_build)) == []
