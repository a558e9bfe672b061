from __future__ import annotations

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject


def test_what_was_said_stands() -> None:
    assert findings("A117", subject()) == []


def test_a_count_of_turns() -> None:
    found = one("A117", subject(template="{{- messages | length -}}" + chatml()), Severity.INFO)
    assert "stood" in found.evidence


def test_tools_before_the_last_question() -> None:
    tools = "{%- if tools and loop.last -%}{{- tools | tojson -}}{%- endif -%}"
    template = chatml().replace("system or tools", "system").replace("{%- if tools -%}", "{%- if false -%}")
    loop = "{%- for message in conversation -%}"
    assert "the tools" in one("A117", subject(template=template.replace(loop, loop + tools)), Severity.INFO).message
