from __future__ import annotations

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject


def test_json_is_clean() -> None:
    assert findings("A111", subject()) == []


def test_an_object() -> None:
    template = chatml().replace("call.function.arguments | tojson", "call.function.arguments")
    found = one("A111", subject(template=template), Severity.WARNING)
    assert "an object" in found.message and found.evidence.startswith("called: ")


def test_the_list_of_tools() -> None:
    found = one("A111", subject(template=chatml().replace("tool.function | tojson", "tool.function")), Severity.INFO)
    assert "{'name': 'quern_lookup'" in found.evidence


def test_none() -> None:
    template = chatml().replace("message.role + '\\n'", "message.role ~ ' ' ~ message.get('name') + '\\n'")
    assert template != chatml()
    assert "prints None" in one("A111", subject(template=template), Severity.WARNING).message


def test_values_of_a_call() -> None:
    prints = "{%- for name, value in call.function.arguments.items() -%}{{- name ~ '=' ~ value -}}{%- endfor -%}"
    template = chatml().replace("{{- call.function.arguments | tojson -}}", prints)
    one("A111", subject(template=template), Severity.INFO)


def test_a_template_may_write_the_word() -> None:
    assert findings("A111", subject(template="None of this is None.\n" + chatml())) == []
