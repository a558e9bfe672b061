from __future__ import annotations

import json
import time
from typing import Any

import pytest

from pipeline.lint.render import MAX_TEMPLATE, MEMORY_BYTES, Job, Rendering, render_all


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
        ("{{ x[0].head.strip() ~ absent.replace('a', 'b') ~ '.' }}", "."),
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
        ("a {{ absent | tojson }}", "raised", "chat_template:1:6"),
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


def test_messages_get_to_a_template_as_llama_server_passes_them() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    messages = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    tools = [{"type": "function", "function": {"name": "f", "strict": True}}]
    loop = "{% for m in messages %}{{ m.content is none }} {% for c in m.tool_calls or [] %}{{ X }}{% endfor %}{% endfor %}"
    of_object = loop.replace("X", "c.function.arguments") + " {{ tools }}"
    of_text = loop.replace("X", "c.function.arguments.strip()") + " {{ tools }}"
    parts = "{% for message in messages %}{{ message.content[0].text }}{% endfor %}"
    jobs = [
        Job("text", {"messages": messages, "tools": tools}),
        Job("object", {"messages": messages, "tools": tools}),
        Job("object", {"messages": messages, "tools": tools, "$given": True}),
        Job("parts", {"messages": [{"role": "user", "content": "hello"}]}),
    ]
    rest = "{'type': 'function', 'function': {'name': 'f', 'description': '', 'parameters': {}}}"
    found = render_all({"text": of_text, "object": of_object, "parts": parts}, jobs)
    assert found[0].text == f'False {{"a": 1}} [{rest}]'
    assert found[1].text == f"False {{'a': 1}} [{rest}]"
    assert found[2].text == f"True {{'a': 1}} {tools}"
    assert found[3].text == "hello"


def test_another_day_and_variables_left_out() -> None:
    template = "{{ strftime_now('%Y') }} {{ date_string }} {{ x is defined }}"
    context = {"date_string": "15 Jan 2026", "x": 1}
    today, later = render_all(
        {"t": template}, [Job("t", context), Job("t", {**context, "$later": True, "$without": ["x"]})]
    )
    assert (today.text, later.text) == ("2026 15 Jan 2026 True", "2031 20 Jul 2031 False")


def test_what_a_template_is_made_of() -> None:
    template = "{% if x %}{{ x.__class__ | first }}{% endif %}\n{{ [x] | unique(case_sensitive=true) | list }}"
    _, scan = render_all({"t": template}, [Job("t", {"x": "", "messages": []}), Job("t", {"$scan": True})])
    found = json.loads(scan.text or "")
    uses = {(use["kind"], use["name"]): (use["line"], use["guarded"]) for use in found["uses"]}
    assert uses["attribute", "__class__"] == uses["filter", "first"] == (1, True)
    assert uses["filter", "unique"] == (2, False)
    assert ["unique", 0, "case_sensitive"] in found["reached"]
    assert not [name for name, *_ in found["reached"] if name == "first"]


def test_tools_get_the_first_template_where_their_own_does_not_parse() -> None:
    templates = {"chat": "plain", "tools": "{% if %}"}
    text, scan = render_all(templates, [Job("tools", {}), Job("tools", {"$scan": True})])
    assert (text.text, scan.kind) == ("plain", "syntax")


def test_endless_work_ends() -> None:
    started = time.monotonic()
    jobs = [Job("good", {}), Job("power", {}), Job("good", {})]
    first, second, third = render_all({"good": "fine", "power": "{{ 9 ** (9 ** 9) }}"}, jobs, cpu=1)
    assert time.monotonic() - started < 25
    assert (first.text, second.kind, third.kind) == ("fine", "limit", "unknown")


def test_one_bad_template_leaves_the_others_alone() -> None:
    bad, good = render_all({"bad": "{% if %}", "good": "{{ x }}"}, [Job("bad", {}), Job("good", {"x": 1})])
    assert (bad.kind, good.text) == ("syntax", "1")


def test_one_template_under_two_names_counts_once() -> None:
    text = "{# " + "x" * (MAX_TEMPLATE // 2) + " #}a"
    found = render_all({"chat": text, "tools": text}, [Job("chat", {}), Job("tools", {})])
    assert [one.text for one in found] == ["a", "a"]
    (late,) = render_all({"t": "x" * (MAX_TEMPLATE + 1)}, [Job("t", {})])
    assert late.kind == "limit" and str(MAX_TEMPLATE) in late.error
