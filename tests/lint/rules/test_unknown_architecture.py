from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.lint.model import Severity
from pipeline.lint.rules.unknown_architecture import ARCHITECTURES
from tests import zoo
from tests.lint.made import made
from tests.lint.subjects import findings, one, sound, subject


def test_good() -> None:
    assert findings("A309", sound()) == []
    assert len(ARCHITECTURES) > 130 and {"qwen2", "gemma3", "gpt-oss", "bailingmoe3"} <= ARCHITECTURES


def test_bad(tmp_path: Path) -> None:
    assert "'zlama'" in one("A309", made(tmp_path, "architecture-unknown"), Severity.ERROR).message
    assert "known are qwen, qwen2," in one("A309", subject(architecture="qwen99"), Severity.ERROR).evidence


def test_a_projector_is_no_model() -> None:
    assert "no model" in one("A309", subject(architecture="clip"), Severity.ERROR).message


@pytest.mark.parametrize(("kind", "count"), [("model", 0), ("adapter", 1), ("mmproj", 1)])
def test_parts_say_so(kind: str, count: int, tmp_path: Path) -> None:
    assert len(findings("A309", made(tmp_path, zoo.changed(general__type=kind)))) == count
