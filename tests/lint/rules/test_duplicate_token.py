from __future__ import annotations

from pathlib import Path

from pipeline.lint.model import Severity
from tests.lint.made import made, tokens
from tests.lint.subjects import findings, one, sound


def test_good() -> None:
    assert findings("A209", sound()) == []


def test_bad(tmp_path: Path) -> None:
    found = one("A209", made(tmp_path, "token-twice"), Severity.ERROR)
    assert "1 text stands" in found.message and "'Tool' has the ids" in found.evidence


def test_several() -> None:
    found = one("A209", tokens(b"a", b"b", b"a", b"b", b"a"), Severity.ERROR)
    assert "2 texts stand" in found.message and "'a' has the ids 0, 2, 4" in found.evidence


def test_tokens_that_are_not_utf8_are_compared_as_bytes() -> None:
    assert findings("A209", tokens(b"\xff", b"\xfe", b"a")) == []
    assert "0, 1" in one("A209", tokens(b"\xff", b"\xff", b"\xfe"), Severity.ERROR).evidence


def test_tokens_without_text_get_a_name_of_their_own() -> None:
    assert findings("A209", tokens(b"", b"", b"a")) == []
