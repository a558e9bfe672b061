from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made, number
from tests.lint.subjects import findings, one, sound

TYPE, FACTOR, ORIGINAL = (f"llama__rope__scaling__{name}" for name in ("type", "factor", "original_context_length"))


def test_good() -> None:
    assert findings("A308", sound()) == []


@pytest.mark.parametrize(
    "keys",
    [
        {TYPE: "yarn", FACTOR: 4.0, ORIGINAL: number(256)},
        {TYPE: "yarn", FACTOR: 4.0, ORIGINAL: number(1024)},  # the file names the length before the stretch
        {TYPE: "linear", FACTOR: 2.0},
        {TYPE: "none", FACTOR: 1.0},
        {TYPE: "longrope", ORIGINAL: number(512)},
        {FACTOR: 1.0},
    ],
)
def test_what_publishers_write(keys: dict[str, Any], tmp_path: Path) -> None:
    assert findings("A308", made(tmp_path, zoo.changed(**keys))) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A308", made(tmp_path, "rope-base-zero"), Severity.ERROR)
    assert (found.where, found.evidence) == ("llama.rope.freq_base", "llama.rope.freq_base is 0")
    assert "unknown: llama-server aborts" in one("A308", made(tmp_path, "rope-scaling-unknown"), Severity.ERROR).message
    assert "context 1024" in one("A308", made(tmp_path, "yarn-without-a-length"), Severity.WARNING).evidence


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_numbers_that_can_not_be(value: float, tmp_path: Path) -> None:
    one("A308", made(tmp_path, zoo.changed(llama__rope__freq_base=value)), Severity.ERROR)
    one("A308", made(tmp_path, zoo.changed(**{TYPE: "linear", FACTOR: value})), Severity.ERROR)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({TYPE: "none", FACTOR: 4.0}, "without a type"),
        ({FACTOR: 4.0, ORIGINAL: number(256)}, "without a type"),
        ({TYPE: "yarn", FACTOR: 2.0, ORIGINAL: number(256)}, "longer than 256 stretched by 2"),
    ],
)
def test_contradictions(keys: dict[str, Any], words: str, tmp_path: Path) -> None:
    assert words in one("A308", made(tmp_path, zoo.changed(**keys)), Severity.WARNING).message
