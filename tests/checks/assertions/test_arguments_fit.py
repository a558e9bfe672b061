from __future__ import annotations

from typing import Any

import pytest

from pipeline.checks.assertions._base import Seen
from pipeline.checks.assertions.arguments_fit import judge
from pipeline.runtime.answer import Answer, Call

PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "minutes": {"type": "integer"},
        "loud": {"type": "boolean"},
        "note": {"type": ["string", "null"]},
        "tone": {"$ref": "#/$defs/tone"},
    },
    "required": ["minutes"],
    "additionalProperties": False,
    "$defs": {"tone": {"enum": ["low", "high"]}},
}


def fault(arguments: str, name: str = "set_timer") -> str | None:
    tools = [
        {"type": "function", "function": {"name": "set_timer", "parameters": PARAMETERS}},
        {"type": "function", "function": {"name": "now"}},
    ]
    found = judge(Seen({"tools": tools}, Answer(calls=(Call("1", name, arguments),))), True)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ('{"minutes": 5, "loud": true, "note": null, "tone": "low"}', None),
        ('{"minutes": "5"}', "bad_args: minutes: '5' is not of type 'integer'"),
        ('{"minutes": 5, "loud": "true"}', "bad_args: loud: 'true' is not of type 'boolean'"),
        ('{"minutes": 5, "note": 3}', "bad_args: note: 3 is not of type 'string', 'null'"),
        ('{"minutes": 5, "tone": "odd"}', "bad_args: tone: 'odd' is not one of"),
        ('{"minutes": 5, "extra": 1}', "bad_args: Additional properties"),
        ("{}", "bad_args: 'minutes' is a required property"),
        ('{"minutes": 5', "bad_args: the arguments of set_timer are no JSON object"),
    ],
)
def test_arguments_are_held_against_their_tools_schema(arguments: str, words: str | None) -> None:
    found = fault(arguments)
    assert found is None if words is None else found is not None and found.startswith(words), found


def test_a_tool_without_parameters_takes_any_and_one_that_is_not_on_offer_none() -> None:
    assert fault("{}", "now") is None
    assert fault("{}", "get_wether") == 'wrong_tool: no tool "get_wether" is on offer'


def test_a_reference_to_elsewhere_is_never_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {"type": "object", "properties": {"minutes": {"$ref": "https://example.invalid/schema.json"}}}
    monkeypatch.setitem(PARAMETERS, "properties", schema["properties"])
    assert "the schema can't be used" in str(fault('{"minutes": 5}'))
