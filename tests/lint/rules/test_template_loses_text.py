from __future__ import annotations

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject

CONTENT = "{%- if message.content -%}"


def test_a_template_that_keeps_everything_is_clean() -> None:
    assert findings("A106", subject()) == []


def test_lost_answers() -> None:
    template = chatml().replace(CONTENT, "{%- if message.content and message.role != 'assistant' -%}")
    found = one("A106", subject(template=template), Severity.ERROR)
    assert "loses the assistant's answer" in found.message
    assert "Quernstone ask one" in found.evidence


def test_only_the_last_turn() -> None:
    template = "{% for message in messages[-1:] %}" + "{{ message.content }}{% endfor %}"
    found = one("A106", subject(template=template), Severity.ERROR)
    assert "the user's first message and the assistant's answer" in found.message


def test_nothing_at_all() -> None:
    found = one("A106", subject(template="hello"), Severity.ERROR)
    assert "of a single turn" in found.message


def test_changed_characters() -> None:
    template = chatml().replace("{{- message.content -}}", "{{- message.content | replace('<', '&lt;') -}}")
    found = one("A106", subject(template=template), Severity.ERROR)
    assert "changes the characters" in found.message and "&lt;b>" in found.evidence


def test_an_answer_with_reasoning() -> None:
    template = chatml().replace(CONTENT, "{%- if message.content and not message.reasoning_content -%}")
    assert "reasoning_content" in one("A106", subject(template=template), Severity.ERROR).message


def test_templates_that_take_parts_only_get_parts() -> None:
    parts = "{% for part in message.content %}{{ part.text }}{% endfor %}"
    assert findings("A106", subject(template=chatml().replace("{{- message.content -}}", parts))) == []
