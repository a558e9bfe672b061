from __future__ import annotations

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.subjects import chatml, findings, one, subject

CALLS = "{%- if message.tool_calls -%}"


def test_a_template_that_keeps_them_is_clean() -> None:
    assert findings("A109", subject()) == []


def test_calls_are_lost_once_answered() -> None:
    template = chatml().replace(CALLS, "{%- if message.tool_calls and conversation[-1].role == 'tool' -%}")
    found = one("A109", subject(template=template), Severity.ERROR)
    assert "loses the call" in found.message
    one("A109", subject(template=template, spec=zoo.spec(checks=[])), Severity.WARNING)


def test_it_fails() -> None:
    guard = (
        "{%- if conversation[-1].role == 'user' and message.tool_calls -%}{{ raise_exception('gone') }}{%- endif -%}"
    )
    assert "gone" in one("A109", subject(template=chatml().replace(CALLS, guard + CALLS)), Severity.ERROR).message
