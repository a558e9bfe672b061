from __future__ import annotations

from pathlib import Path

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.made import made, tokens
from tests.lint.subjects import findings, one, sound


def test_good() -> None:
    assert findings("A212", sound()) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A212", made(tmp_path, "token-without-row"), Severity.ERROR)
    assert "802 tokens, token_embd.weight has 801 rows" in found.message and "tokens without a row: 1" in found.evidence


def test_rows_that_belong_to_no_token_are_refused_too(tmp_path: Path) -> None:
    shorter = zoo.changed(tokenizer__ggml__tokens=lambda tokens: tokens[:-2])
    assert "rows of no token: 2" in one("A212", made(tmp_path, shorter), Severity.ERROR).evidence


def test_without_tensors_it_is_not_judged() -> None:
    assert "embedding" in rules()["A212"].skip(tokens(b"a"))
