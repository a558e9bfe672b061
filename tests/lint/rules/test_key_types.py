from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import pytest

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made
from tests.lint.subjects import findings, one, sound

KINDS = gguf.GGUFValueType


def test_good() -> None:
    assert findings("A302", sound()) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A302", made(tmp_path, "id-of-another-type"), Severity.ERROR)
    assert "stored as int64, the engine reads uint32" in found.message and "796 of type int64" in found.evidence


@pytest.mark.parametrize(
    ("key", "value", "kind", "want"),
    [
        ("llama__context_length", 1024, KINDS.UINT64, "uint32"),
        ("llama__block_count", 4, KINDS.INT32, "uint32"),
        ("llama__rope__freq_base", 10000.0, KINDS.FLOAT64, "float32"),
        ("tokenizer__ggml__eos_token_id", 798, KINDS.INT32, "uint32"),
        ("tokenizer__ggml__add_bos_token", 0, KINDS.UINT32, "bool"),
        ("split__count", 1, KINDS.UINT32, "uint16"),
    ],
)
def test_each_key_has_its_type(key: str, value: Any, kind: gguf.GGUFValueType, want: str, tmp_path: Path) -> None:
    of = made(tmp_path, zoo.changed(**{key: zoo.Typed(value, kind)}))
    found = one("A302", of, Severity.ERROR)
    assert f"stored as {kind.name.lower()}, the engine reads {want}" in found.message
