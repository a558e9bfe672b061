from __future__ import annotations

from pathlib import Path

from pipeline.lint.model import Severity
from pipeline.runtime.build import EngineBuild
from tests.lint.made import asked
from tests.lint.played import played_sound
from tests.lint.subjects import findings, one


def test_an_end_that_the_server_takes_for_a_marker(tmp_path: Path, engine_build: EngineBuild) -> None:
    found = one("A702", asked(tmp_path, "end-taken-for-a-marker", engine_build), Severity.WARNING)
    assert "<|eot_id|>" in found.evidence.partition("written")[0]


def test_the_sound_model(engine_build: EngineBuild) -> None:
    assert findings("A702", played_sound(engine_build)) == []
