from __future__ import annotations

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.subjects import chatml, findings, one, subject

OPENS = zoo.OPENING.replace("\\n'", "\\n<think>\\n'")
SHOWN = "{%- if message.reasoning_content and WHEN -%}{{- '<think>' ~ message.reasoning_content ~ '</think>' -}}{%- endif -%}"


def thinking(when: str = "false", opens: bool = False) -> str:
    template = chatml().replace(zoo.TURN, SHOWN.replace("WHEN", when) + zoo.TURN)
    assert template != chatml() and zoo.OPENING in template
    return template.replace(zoo.OPENING, OPENS) if opens else template


def test_thoughts_until_the_answer_is_given() -> None:
    assert findings("A128", subject(template=thinking("message.tool_calls", opens=True))) == []


def test_a_model_that_does_not_think() -> None:
    assert findings("A128", subject(template=thinking())) == []


def test_thoughts_of_earlier_answers_are_kept() -> None:
    found = one("A128", subject(template=thinking("true", opens=True)), Severity.INFO)
    assert "earlier answers" in found.message and "<think>Quernstone thought</think>" in found.evidence


def test_thoughts_before_a_call_are_dropped() -> None:
    found = one("A128", subject(template=thinking(opens=True)), Severity.INFO)
    assert "before it called a tool" in found.message and "<think>" in found.evidence
