from __future__ import annotations

import pytest

from pipeline.lint.model import Severity
from tests.lint.subjects import chatml, findings, one, subject


def test_an_ordinary_template_is_clean() -> None:
    assert findings("A123", subject()) == []


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("{% raw %}x{% endraw %}", "{% raw %}"),
        ("{% if false %}{% include 'x' %}{% endif %}", "{% include %}"),
        ("{% with a = 1 %}{% endwith %}", "{% with %}"),
        ("{{ messages | length // 2 }}", "operator //"),
        ("{{ '\\u2581' }}", "escape \\u"),
        ("{{ messages | map('tojson') | list | length }}", "map with a filter"),
        ("{{ [1] | unique | list | length }}", "filter 'unique'"),
        ("{{ {} | tojson(sort_keys=true) }}", "sort_keys in tojson"),
        ("{{ 'x'.find('y') }}", "method 'find'"),
        ("{{ 'aa' | replace('a', 'b', 1) }}", "count in replace"),
        ("{{ messages | selectattr('role', 'le', 'z') | list | length }}", "test 'le'"),
        ("{{ 1 is le 2 }}", "test 'le'"),
        ("{% if tools %}{{ tools | unique(attribute='type') | list | length }}{% endif %}", "filter 'unique'"),
    ],
)
def test_what_llama_cpp_lacks(code: str, what: str) -> None:
    found = one("A123", subject(template="\n" + code + chatml()), Severity.ERROR)
    assert f"has no {what}:" in found.message
    assert found.where.startswith("chat_template:2:")


def test_what_no_ordinary_request_comes_to() -> None:
    code = "{% if false %}{{ 'x' | urlize }}{{ ''.splitlines() }}{% endif %}"
    found = findings("A123", subject(template=code + chatml()))
    assert [finding.severity for finding in found] == [Severity.INFO] * 2


@pytest.mark.parametrize(
    "code",
    [
        "{% macro say(x, y=1) %}{{ x }}{% endmacro %}{{ say('') }}",
        "{% set a %}b{% endset %}{% generation %}{% endgeneration %}",
        "{{ namespace(x=1).x ~ range(2) | join(',') ~ {'a': 1} | dictsort | first | first }}",
        "{{ messages | selectattr('role', 'in', ['x']) | map(attribute='content') | list | length }}",
        "{{ 'a\\nb\\t\\\\'.split('\\n') | first | upper | trim }}{{ messages[::-1] | length }}",
        "{% for a in [1] if a is even %}{% else %}{% continue %}{% endfor %}",
    ],
)
def test_what_llama_cpp_has(code: str) -> None:
    assert findings("A123", subject(template=code.replace("{% continue %}", "") + chatml())) == []
