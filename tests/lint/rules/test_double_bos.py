from __future__ import annotations

import pytest

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, sound, subject

BOS = "{{ bos_token }}"


def test_good() -> None:
    assert findings("A202", sound()) == []
    assert findings("A202", subject(add_bos=True)) == []
    assert findings("A202", subject(template=BOS + chatml())) == []


@pytest.mark.parametrize(
    ("written", "adds", "severity"),
    [(1, True, Severity.INFO), (2, False, Severity.WARNING), (2, True, Severity.WARNING)],
)
def test_bad(written: int, adds: bool, severity: Severity) -> None:
    found = one("A202", subject(template=BOS * written + chatml(), add_bos=adds), severity)
    assert f"{written + adds} times" in found.message
