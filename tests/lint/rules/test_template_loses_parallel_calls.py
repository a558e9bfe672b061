from __future__ import annotations

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.subjects import chatml, findings, one, subject

LOOP = "{%- for call in message.tool_calls -%}"


def test_a_template_that_keeps_both_is_clean() -> None:
    assert findings("A108", subject()) == []


def test_the_second_is_lost() -> None:
    template = chatml().replace(LOOP, "{%- for call in message.tool_calls[:1] -%}")
    found = one("A108", subject(template=template), Severity.WARNING)
    assert found.message == "of two calls at once the chat template loses the second call"


def test_two_are_refused() -> None:
    guard = "{%- if message.tool_calls | length > 1 -%}{{ raise_exception('one at a time') }}{%- endif -%}"
    template = chatml().replace(LOOP, guard + LOOP)
    assert "one at a time" in one("A108", subject(template=template), Severity.WARNING).message
    one("A108", subject(template=template, spec=zoo.spec(checks=[])), Severity.INFO)
