from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.evals.calls import Accepted, matches, mismatch
from pipeline.runtime.answer import Call

TOOLS = {
    "book": {
        "type": "dict",
        "properties": {
            "city": {"type": "string"},
            "nights": {"type": "integer"},
            "price": {"type": "float"},
            "quiet": {"type": "boolean"},
        },
        "required": ["city"],
    },
    "call_off": {"type": "dict", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
}
Wanted = list[tuple[str, Accepted]]
WANTED: Wanted = [("book", {"city": ["New York", "NYC"], "nights": [2, ""], "price": [50.0, ""], "quiet": [True, ""]})]


def call(name: str, **arguments: Any) -> Call:
    return Call("1", name, json.dumps(arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        {"city": "New York"},
        {"city": "new-york", "nights": 2},
        {"city": "nyc", "price": 50, "quiet": True},
    ],
)
def test_calls_that_are_right(arguments: dict[str, Any]) -> None:
    assert mismatch([call("book", **arguments)], WANTED, TOOLS) == ""


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (call("book", city="Boston"), 'city is "Boston", accepted are'),
        (call("book", nights=2), "required argument city is missing"),
        (call("book", city="NYC", nights="2"), 'nights is "2"'),
        (call("book", city="NYC", nights=2.0), "nights is 2.0"),
        (call("book", city="NYC", nights=True), "nights is true"),
        (call("book", city="NYC", quiet=1), "quiet is 1"),
        (call("book", city="NYC", price=51), "price is 51"),
        (call("book", city="NYC", floor=2), "the argument floor is not known"),
        (call("call_off", id=1), "wanted book, got call_off"),
        (Call("1", "book", "[1]"), "are no JSON object"),
        (Call("1", "book", "{"), "are no JSON object"),
    ],
)
def test_calls_that_are_wrong_in_words(made: Call, words: str) -> None:
    assert words in mismatch([made], WANTED, TOOLS)


def test_an_argument_may_be_left_out_only_where_that_is_accepted() -> None:
    wanted: Wanted = [("book", {"city": ["NYC"], "nights": [2]})]
    assert mismatch([call("book", city="NYC")], wanted, TOOLS) == "book: the argument nights is missing"
    assert mismatch([call("book", city="NYC", price=1.0)], wanted, TOOLS) == "book: price is not wanted"


def test_as_many_calls_as_wanted_in_any_order() -> None:
    wanted: Wanted = [("call_off", {"id": [1, 2]}), ("call_off", {"id": [1]}), ("book", {"city": ["NYC"]})]
    calls = [call("book", city="NYC"), call("call_off", id=1), call("call_off", id=2)]
    assert mismatch(calls, wanted, TOOLS) == "", "1 is needed by the second, so the first has to take 2"
    assert mismatch(calls[::-1], wanted, TOOLS) == ""
    assert mismatch(calls[:2], wanted, TOOLS).startswith("3 calls wanted, 2 calls came: book(")
    assert mismatch([], wanted[:1], TOOLS) == "1 call wanted, 0 calls came: none"
    assert mismatch([], [], TOOLS) == ""
    assert mismatch(calls[:1], [], TOOLS).startswith("0 calls wanted, 1 call came")
    twice = [call("book", city="NYC"), call("call_off", id=1), call("call_off", id=1)]
    assert (
        mismatch(twice, [wanted[1], ("call_off", {"id": [2]}), wanted[2]], TOOLS)
        == "call_off: id is 1, accepted are [2]"
    )
    both_want_one: Wanted = [wanted[1], ("call_off", {"id": [1]})]
    assert "no two" in mismatch([call("call_off", id=1), call("call_off", id=5)], both_want_one, TOOLS)


STRINGS = {"type": "array", "items": {"type": "string"}}
FLOATS = {"type": "array", "items": {"type": "float"}}


@pytest.mark.parametrize(
    ("value", "options", "described", "right"),
    [
        ("April 1, 2024", ["April 1 2024"], {"type": "string"}, True),
        ("it's", ['it"s'], {"type": "string"}, True),
        ("a+b", ["ab"], {"type": "string"}, False),
        ("", ["", "x"], {"type": "string"}, True),
        (["A b", "c"], [["ab", "C"]], STRINGS, True),
        (["c", "ab"], [["ab", "c"]], STRINGS, False),
        ([], [[]], STRINGS, True),
        ([], [["a"]], STRINGS, False),
        ("ab", [["ab"]], STRINGS, False),
        ([1.0, 2.0], [[1.0, 2.0]], FLOATS, True),
        ([1, 2], [[1, 2]], FLOATS, True),
        ([1, 2], [[1.0, 2.0]], FLOATS, False),
        (3, [3.0], {"type": "float"}, True),
        (3, [3], {"type": "float"}, True),
        (3.0, [3], {"type": "integer"}, False),
        (False, [False], {"type": "boolean"}, True),
        (0, [False], {"type": "boolean"}, False),
        ("x", ["x"], {"type": "integer"}, True),
        ("X", ["x"], {"type": "integer"}, False),
        (5, ["5"], {"type": "any"}, False),
        ({"a": "X", "b": 2}, [{"a": ["x"], "b": [1, 2]}], {"type": "dict"}, True),
        ({"a": "x"}, [{"a": ["x"], "b": [1, ""]}], {"type": "dict"}, True),
        ({"a": "x"}, [{"a": ["x"], "b": [1]}], {"type": "dict"}, False),
        ({"a": "x", "c": 1}, [{"a": ["x"]}], {"type": "dict"}, False),
        ([{"a": 1}], [[{"a": [1]}]], {"type": "array", "items": {"type": "dict"}}, True),
        ([{"a": 1}, {"a": 1}], [[{"a": [1]}]], {"type": "array", "items": {"type": "dict"}}, False),
        (None, ["x"], {"type": "string"}, False),
        ("x", ["x"], {}, True),
    ],
)
def test_values(value: Any, options: list[Any], described: dict[str, Any], right: bool) -> None:
    assert matches(value, options, described) is right
