from __future__ import annotations

from pathlib import Path

from pipeline.lint.model import Severity
from tests import zoo
from tests.gguf import build
from tests.lint.made import made, tokens
from tests.lint.subjects import findings, one, sound


def test_good() -> None:
    assert findings("A210", sound()) == []
    assert findings("A210", tokens(b"a", b"b")) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A210", made(tmp_path, "types-too-few"), Severity.ERROR)
    assert "800 entries for 801 tokens: llama-server refuses" in found.message
    assert "ignored" in one("A210", made(tmp_path, "types-too-many"), Severity.WARNING).message


def test_scores_too_few(tmp_path: Path) -> None:
    found = one("A210", made(tmp_path, zoo.changed(tokenizer__ggml__scores=[0.5, 1.5])), Severity.ERROR)
    assert found.where == "tokenizer.ggml.scores"


def test_of_another_type() -> None:
    names = build.strings("tokenizer.ggml.token_type", ["normal", "normal"])
    assert "value type 8, want 5" in one("A210", tokens(b"a", b"b", more=(names,)), Severity.ERROR).evidence
    scalar = build.pair("tokenizer.ggml.scores", build.UINT32, b"\1\0\0\0")
    assert "not of the type" in one("A210", tokens(b"a", b"b", more=(scalar,)), Severity.ERROR).message
