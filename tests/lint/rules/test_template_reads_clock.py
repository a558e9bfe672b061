from __future__ import annotations

import pytest

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject


def test_a_template_without_a_date_is_clean() -> None:
    assert findings("A118", subject()) == []


@pytest.mark.parametrize("date", ["strftime_now('%d %B %Y')", "date_string", "datetime"])
def test_today(date: str) -> None:
    found = one("A118", subject(template="{{- 'Today: ' + " + date + " -}}" + chatml()), Severity.INFO)
    assert "2026" in found.evidence and "2031" in found.evidence


def test_a_date_of_its_own_is_clean() -> None:
    assert findings("A118", subject(template="Knowledge ends on 1 May 2025.\n" + chatml())) == []
