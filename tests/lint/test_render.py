from __future__ import annotations

import time
from typing import Any

import pytest

from pipeline.lint.render import MEMORY_BYTES, Job, Rendering, render_all


def render(template: str, **context: Any) -> Rendering:
    (found,) = render_all({"t": template}, [Job("t", context)], cpu=2)
    return found


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("{{ {'b': 'é<', 'a': [1, none]} | tojson }}", '{"b": "é<", "a": [1, null]}'),
        ("  {% if true %}\nx\n  {% endif %}\n", "x\n"),
        ("{% for a in [1, 2, 3] %}{% if a == 2 %}{% break %}{% endif %}{{ a }}{% endfor %}", "1"),
        ("{% generation %}a{% endgeneration %}", "a"),
        ("{{ strftime_now('%Y-%m-%d') }}", "2026-01-15"),
        ("{{ '<b>' | safe }}&", "<b>&"),
        ("{% set l = [] %}{% set _ = l.append(1) %}{{ l }}", "[1]"),
        ("{{ 'a' + absent + 'b' }}", "ab"),
        ("{{ x | map(attribute='y') | tojson }}", "[1]"),
    ],
)
def test_what_templates_are_given(template: str, prompt: str) -> None:
    assert render(template, x=[{"y": 1}]) == Rendering(text=prompt)


@pytest.mark.parametrize(
    ("template", "kind", "where"),
    [
        ("a\n {% iff x %}", "syntax", "chat_template:2:5"),
        ("a\n\n{{ x.y.z }}", "raised", "chat_template:3:6"),
        ("ab{{ raise_exception('no') }}", "raised", "chat_template:1:6"),
        ("{{ ''.__class__ }}{{ ''.__class__.__base__ }}", "raised", "chat_template:1:7"),
        ("{% for a in range(99999) %}" + "x" * 9999 + "{% endfor %}", "limit", "chat_template"),
        (f"{{{{ 'x' * {2 * MEMORY_BYTES} }}}}", "limit", "chat_template:1:1"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "limit", "chat_template:1:1"),
    ],
)
def test_failures_have_their_kind_and_place(template: str, kind: str, where: str) -> None:
    found = render(template, x={})
    assert (found.kind, found.where, found.text) == (kind, where, None)
    assert found.error


def test_endless_work_ends() -> None:
    started = time.monotonic()
    jobs = [Job("good", {}), Job("power", {}), Job("good", {})]
    first, second, third = render_all({"good": "fine", "power": "{{ 9 ** (9 ** 9) }}"}, jobs, cpu=1)
    assert time.monotonic() - started < 25
    assert (first.text, second.kind, third.kind) == ("fine", "limit", "unknown")


def test_one_bad_template_leaves_the_others_alone() -> None:
    bad, good = render_all({"bad": "{% if %}", "good": "{{ x }}"}, [Job("bad", {}), Job("good", {"x": 1})])
    assert (bad.kind, good.text) == ("syntax", "1")
