from __future__ import annotations

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject

IF = "{%- if add_generation_prompt -%}"


def test_a_plain_test_is_clean() -> None:
    assert findings("A112", subject()) == []


def test_a_default_of_true() -> None:
    template = chatml().replace(IF, "{%- if add_generation_prompt is not defined or add_generation_prompt -%}")
    found = one("A112", subject(template=template), Severity.INFO)
    assert "assistant" in found.evidence


def test_a_template_that_never_looks_is_left_to_another_rule() -> None:
    assert findings("A112", subject(template=chatml().replace(IF, "{%- if true -%}"))) == []
