from __future__ import annotations

from pipeline.lint.engine import rules
from pipeline.lint.model import Severity
from tests.lint.subjects import findings, one, sound, subject


def test_good() -> None:
    assert findings("A203", sound()) == []


def test_bad() -> None:
    assert "missing" in one("A203", subject(tokenizer_pre=None), Severity.ERROR).message
    assert "default" in one("A203", subject(tokenizer_pre="default"), Severity.WARNING).message


def test_other_vocabularies_have_none() -> None:
    assert "BPE" in rules()["A203"].skip(subject(tokenizer_model="llama", tokenizer_pre=None))
