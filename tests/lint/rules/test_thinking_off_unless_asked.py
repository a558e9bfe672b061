from __future__ import annotations

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject

OPENS = "'<|im_start|>assistant\\n' -}}\n{%- endif"


def thinking(condition: str) -> str:
    return chatml().replace(OPENS, OPENS.replace("\\n'", f"\\n' + ('' if {condition} else '<think></think>')"))


def test_a_template_that_does_not_care_is_clean() -> None:
    assert findings("A115", subject()) == []


def test_on_unless_turned_off_is_clean() -> None:
    template = thinking("enable_thinking is not defined or enable_thinking")
    assert findings("A115", subject(template=template)) == []


def test_off_unless_asked() -> None:
    found = one("A115", subject(template=thinking("enable_thinking")), Severity.INFO)
    assert "but that of false" in found.message and "<think></think>" in found.evidence
