from __future__ import annotations

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject

MESSAGES = "{%- set conversation = messages -%}"


def test_a_template_that_keeps_it_is_clean() -> None:
    assert findings("A120", subject()) == []


def test_it_is_lost() -> None:
    keeps = "messages | rejectattr('role', 'equalto', 'system') | list -%}"
    found = one("A120", subject(template=chatml().replace("messages -%}", keeps, 1)), Severity.INFO)
    assert "loses without a word" in found.message


def test_it_is_refused() -> None:
    guard = "{%- if 'system' in messages[1:] | map(attribute='role') | list -%}{{ raise_exception('no') }}{%- endif -%}"
    assert "refuses: no" in one("A120", subject(template=guard + chatml()), Severity.INFO).message


def test_a_template_without_system_turns_is_left_to_another_rule() -> None:
    drops = "messages | rejectattr('role', 'equalto', 'system') | list -%}"
    template = chatml().replace("messages -%}", drops, 1).replace("messages[1:]", "conversation")
    template = template.replace("set system = messages[0].content", "set system = ''")
    assert findings("A120", subject(template=template)) == []
