from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.errors import UsageError
from pipeline.evals.rendering import render


def one(template: Any, **doc: Any) -> Any:
    [made] = render({"it": template}, [doc])
    return made["it"] if "it" in made else made["error"]


@pytest.mark.parametrize(
    ("template", "made"),
    [
        ("word", "value"),
        ("{{word}}\n", "value\n"),
        ("{{ word | regex_replace('v.', 'x') }}", "xlue"),
        ("{{[word, 'b']}}", ["value", "b"]),
        ("[not a list]", "[not a list]"),
        (3, 3),
        (["a"], ["a"]),
        ("{% for i in range(3) %}{{i}}{% endfor %}", "012"),
    ],
)
def test_a_template_or_a_field(template: Any, made: Any) -> None:
    assert one(template, word="value") == made


def test_a_fault_is_of_its_document_alone() -> None:
    made = render({"it": "{{a.b}}"}, [{"a": {"b": "x"}}, {"a": 1}, {"a": {"b": "y"}}])
    assert [answer.get("it") for answer in made] == ["x", None, "y"]
    assert "UndefinedError" in made[1]["error"]


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ word.format.__globals__ }}",
        "{{ '{0.__class__.__init__.__globals__}'.format(word) }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
    ],
)
def test_a_template_does_not_reach_python(template: str) -> None:
    made = one(template, word="value")
    assert "Error" in made or "TemplateNotFound" in made or "no loader" in made


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% for k in range(99999) %}x{% endfor %}{% endfor %}{% endfor %}",
        "{{ 'x' * 99999999999 }}",
        "{{ 'x' * 9999999 }}",
        "{{ ('a' * 40) | regex_replace('(a+)+b', '') }}",
    ],
)
def test_a_template_that_takes_too_much_costs_nobody_else(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.evals.rendering.SECONDS", 5.0)
    try:
        said = str(one(template))
    except UsageError as error:
        said = error.message
    assert any(word in said for word in ("could not be rendered", "Error", "more than")), said


@pytest.mark.parametrize("template", ["{{ '\\ud800' }}", "[{1, 2}, 3]", "[1j]", "[b'x']", "{{ nothing['\\ud800'] }}"])
def test_what_is_no_text_or_list_of_texts_is_an_error_of_its_item(template: str) -> None:
    (made,) = render({"text": template}, [{"nothing": {}}])
    assert list(made) == ["error"], made
    made["error"].encode()
