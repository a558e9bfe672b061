from __future__ import annotations

from pipeline.lint.model import Severity
from tests import zoo
from tests.lint.subjects import chatml, findings, one, subject

CALL = "{%- for call in message.tool_calls -%}"
TOOL = "{%- for tool in tools -%}"


def test_a_template_that_takes_all_shapes_is_clean() -> None:
    assert findings("A121", subject()) == []


def test_ids_of_nine_characters() -> None:
    guard = "{%- if call.id | length != 9 -%}{{ raise_exception('9 characters') }}{%- endif -%}"
    template = chatml().replace(CALL, CALL + guard)
    found = findings("A121", subject(template=template))
    assert {finding.severity for finding in found} == {Severity.WARNING}
    assert ["without id" in finding.message for finding in found] == [True, False]
    assert all("9 characters" in finding.message for finding in found)


def test_a_tool_without_parameters() -> None:
    template = chatml().replace(TOOL, TOOL + "{%- for name in tool.function.parameters.required -%}{%- endfor -%}")
    found = one("A121", subject(template=template), Severity.INFO)
    assert "llama-server fills them in" in found.message


def test_empty_parameters() -> None:
    template = chatml().replace(TOOL, TOOL + "{{- tool.function.parameters.properties.items() | list | length -}}")
    found = findings("A121", subject(template=template, spec=zoo.spec(checks=[])))
    assert [finding.severity for finding in found] == [Severity.INFO] * 2
