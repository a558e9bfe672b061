from __future__ import annotations

from pathlib import Path

import gguf

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made
from tests.lint.subjects import findings, one, sound

UINT16, INT32 = gguf.GGUFValueType.UINT16, gguf.GGUFValueType.INT32


def split(number: int, count: int, tensors: int) -> zoo.Make:
    return zoo.changed(
        split__no=zoo.Typed(number, UINT16),
        split__count=zoo.Typed(count, UINT16),
        split__tensors__count=zoo.Typed(tensors, INT32),
    )


def test_good(tmp_path: Path) -> None:
    assert findings("A307", sound()) == []
    for whole in (split(0, 1, 38), split(0, 2, 60), split(1, 2, 60)):
        assert findings("A307", made(tmp_path, whole)) == []


def test_bad(tmp_path: Path) -> None:
    assert "split.count is None" in one("A307", made(tmp_path, "split-without-a-count"), Severity.ERROR).evidence
    one("A307", made(tmp_path, split(0, 0, 38)), Severity.ERROR)


def test_numbers_that_can_not_be(tmp_path: Path) -> None:
    assert "number 2, counted from 0, of 2" in one("A307", made(tmp_path, split(2, 2, 60)), Severity.ERROR).message
    assert "60 tensors and holds 38" in one("A307", made(tmp_path, split(0, 1, 60)), Severity.ERROR).message
