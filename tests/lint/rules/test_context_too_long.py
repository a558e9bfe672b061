from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.lint.model import Severity
from tests.lint.subjects import findings, one, sound, subject


def test_good() -> None:
    assert findings("A301", sound()) == []
    assert findings("A301", replace(subject(context_length=16), spec=None)) == []


def test_bad() -> None:
    found = one("A301", subject(context_length=1023), Severity.ERROR)
    assert "1024" in found.message
    assert "1023" in found.fix


@pytest.mark.parametrize("length", [None, 0])
def test_a_file_must_say_its_length(length: int | None) -> None:
    assert "context_length" in one("A301", subject(context_length=length), Severity.ERROR).where
