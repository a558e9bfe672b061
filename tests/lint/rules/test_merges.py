from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import pytest

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from tests import zoo
from tests.gguf import build
from tests.lint.made import made, tokens
from tests.lint.subjects import findings, one, sound, subject

KEY = "tokenizer.ggml.merges"


def changed(edit: Any) -> zoo.Make:
    return zoo.changed(tokenizer__ggml__merges=edit)


def test_good(tmp_path: Path) -> None:
    assert findings("A208", sound()) == []
    few_strange = changed(lambda merges: ["q q", *merges[1:]])
    assert findings("A208", made(tmp_path, few_strange)) == []


def test_missing(tmp_path: Path) -> None:
    assert "no merges" in one("A208", made(tmp_path, "merges-missing"), Severity.ERROR).message
    assert findings("A208", subject(tokenizer_pre="kimi-k2")) == []


def test_empty() -> None:
    assert "empty" in one("A208", tokens(b"a", b"b", more=(build.strings(KEY, []),)), Severity.ERROR).message


def test_not_a_list(tmp_path: Path) -> None:
    assert (
        "no list"
        in one("A208", made(tmp_path, changed(zoo.Typed("a b", gguf.GGUFValueType.STRING))), Severity.ERROR).message
    )


@pytest.mark.parametrize("broken", ["ab", " ab", "ab ", ""])
def test_without_two_pieces(broken: str, tmp_path: Path) -> None:
    found = one("A208", made(tmp_path, changed(lambda merges: [*merges[:7], broken, *merges[8:]])), Severity.ERROR)
    assert "1 of 540" in found.message and f"merge 7 is {broken!r}" in found.evidence


def test_of_another_vocabulary(tmp_path: Path) -> None:
    found = one("A208", made(tmp_path, changed(lambda merges: [f"x{i} y" for i in range(9)])), Severity.ERROR)
    assert "another vocabulary" in found.message and "no token is 'x0y'" in found.evidence


def test_other_vocabularies_have_none() -> None:
    assert "BPE" in rules()["A208"].skip(subject(tokenizer_model="llama"))
