"""Whatever a template is, rendering it ends soon, in little memory, and inside its sandbox."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.fuzz.templates import NOISE, TEMPLATES, judge


@settings(max_examples=150, deadline=None)
@given(TEMPLATES)
def test_templates_of_all_that_jinja_has(template: str) -> None:
    judge(template)


@settings(max_examples=100, deadline=None)
@given(NOISE)
def test_pieces_in_any_order(template: str) -> None:
    judge(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'x' * 999999999 }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(s='bomb') %}{% for a in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ 9 ** (9 ** 9) }}",
        "{{ 'x' | center(999999999) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ messages | tojson(indent=99999999) }}",
        "{{ 'a' | indent(999999999, true) }}",
        "{{ raise_exception('x' * 99999999) }}",
        "{% for a in cycler %}{% endfor %}{{ lipsum(n=99999) }}",
        "{{ " + "(" * 5000 + ")" * 5000 + " }}",
        "{% if true %}" * 3000,
        "{{ [[[[" * 500,
        "{% set a = [] %}{% set _ = a.append(a) %}{{ a | tojson }}",
        "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
    ],
)
def test_bombs(template: str) -> None:
    assert judge(template)[0].kind
