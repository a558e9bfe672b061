from __future__ import annotations

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject


def test_a_template_that_keeps_it_is_clean() -> None:
    assert findings("A107", subject()) == []


def test_it_is_lost() -> None:
    template = chatml().replace("{%- if message.content -%}", "{%- if message.content and not message.tool_calls -%}")
    found = one("A107", subject(template=template), Severity.WARNING)
    assert "'Quernstone preamble' is not in the prompt" in found.evidence


def test_it_is_refused() -> None:
    guard = "{%- if message.content and message.tool_calls -%}{{ raise_exception('not both') }}{%- endif -%}"
    found = one(
        "A107",
        subject(template=chatml().replace("{%- if message.tool_calls -%}", guard + "{%- if message.tool_calls -%}")),
        Severity.WARNING,
    )
    assert found.message.endswith("not both")
