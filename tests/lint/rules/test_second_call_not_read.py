from __future__ import annotations

from pathlib import Path

from pipeline.lint.model import Severity
from pipeline.runtime.build import EngineBuild
from tests.lint.made import asked
from tests.lint.played import played_sound
from tests.lint.subjects import findings, one


def test_a_second_call_that_is_lost(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A704", asked(tmp_path, "calls-within-one-marker", engine_build), Severity.WARNING)
    assert "two calls" in found.message and "parallel_tool_calls: false" in found.fix


def test_the_sound_model(engine_build: EngineBuild) -> None:
    assert findings("A704", played_sound(engine_build)) == []
