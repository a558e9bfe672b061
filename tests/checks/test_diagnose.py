"""Each grade, from an answer that real models gave."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.checks.diagnose import (
    GRADES,
    Fault,
    call_in_text,
    missing_call,
    runaway,
    same_arguments,
    short,
    wrong_call,
)
from pipeline.runtime.answer import Answer, Call

TOOLS = ("get_weather", "get_time")
BERGEN = Call("1", "get_weather", '{"city": "Bergen"}')
OSAKA = Call("2", "get_weather", '{"city": "Osaka"}')


@pytest.mark.parametrize(
    ("answer", "grade"),
    [
        (Answer('{"name": "get_weather", "arguments": {"city": "Bergen"}}'), "json_in_content"),
        (Answer('Sure!\n```json\n{"name": "get_weather", "parameters": {"city": "Bergen"}}\n```'), "json_in_content"),
        (Answer('[{"type": "function", "function": {"name": "get_time", "arguments": "{}"}}]'), "json_in_content"),
        (
            Answer('<tool_call>\n{"name": "get_weather", "arguments": {"city": "Bergen"}}\n</tool_call>'),
            "markers_in_content",
        ),
        (Answer('[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Bergen"}}]'), "markers_in_content"),
        (Answer("<function=get_weather>{"), "markers_in_content"),
        (Answer(reasoning='{"name": "get_weather", "arguments": {}}'), "in_reasoning"),
        (Answer("It rains and rains and", finish_reason="length", tokens=512), "runaway"),
        (Answer("I can't look up the weather.", finish_reason="stop"), "no_call"),
        (Answer('{"name": "Bergen", "arguments": {}}', finish_reason="stop"), "no_call"),
    ],
)
def test_grade_of_a_missing_call(answer: Answer, grade: str) -> None:
    fault = missing_call(answer, TOOLS)
    assert fault is not None and fault.grade == grade
    assert fault.grade in GRADES


def test_a_structured_call_is_not_missing() -> None:
    assert missing_call(Answer(calls=(BERGEN,)), TOOLS) is None


@pytest.mark.parametrize(
    ("calls", "wanted", "grade"),
    [
        ([BERGEN], [("get_weather", {"city": "Bergen"})], None),
        ([BERGEN], [("get_weather", None)], None),
        ([OSAKA, BERGEN], [("get_weather", {"city": "Bergen"}), ("get_weather", {"city": "Osaka"})], None),
        ([BERGEN], [("get_time", {"city": "Bergen"})], "wrong_tool"),
        ([OSAKA], [("get_weather", {"city": "Bergen"})], "bad_args"),
        ([Call("1", "get_weather", '{"city": "Ber')], [("get_weather", {"city": "Bergen"})], "bad_args"),
        ([Call("1", "get_weather", '{"town": "Bergen"}')], [("get_weather", {"city": "Bergen"})], "bad_args"),
        ([BERGEN], [("get_weather", {"city": "Bergen"}), ("get_weather", {"city": "Osaka"})], "no_call"),
        ([BERGEN, BERGEN], [("get_weather", {"city": "Bergen"})], "needless_call"),
    ],
)
def test_grade_of_calls(calls: list[Call], wanted: list[tuple[str, dict[str, Any] | None]], grade: str | None) -> None:
    fault = wrong_call(calls, [(name, arguments, False) for name, arguments in wanted])
    assert (fault.grade if fault else None) == grade


@pytest.mark.parametrize(
    ("arguments", "wanted", "same"),
    [
        ('{"city": "Bergen"}', {"city": "Bergen"}, True),
        ('{"city": "bergen"}', {"city": "Bergen"}, False),
        ('{"n": 1.0}', {"n": 1}, False),
        ('{"b": 1, "a": "\\n"}', {"a": "\n", "b": 1}, True),
    ],
)
def test_exact_arguments_are_compared_letter_by_letter(arguments: str, wanted: dict[str, Any], same: bool) -> None:
    assert (wrong_call([Call("1", "f", arguments)], [("f", wanted, True)]) is None) is same


@pytest.mark.parametrize(
    ("got", "wanted", "same"),
    [
        ({"city": "bergen. "}, {"city": "Bergen"}, True),
        ({"text": '"Dinner  tonight"'}, {"text": "dinner tonight"}, True),
        ({"minutes": 25}, {"minutes": 25}, True),
        ({"minutes": "25"}, {"minutes": 25}, False),
        ({"on": 1}, {"on": True}, False),
        ({"a": [1, {"b": "X"}]}, {"a": [1, {"b": "x"}]}, True),
        ({"a": [1]}, {"a": [1, 2]}, False),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        (None, {"a": 1}, False),
    ],
)
def test_arguments_are_compared_as_a_reader_would(got: Any, wanted: Any, same: bool) -> None:
    assert same_arguments(got, wanted) is same


def test_only_the_limit_makes_a_runaway() -> None:
    assert "after 64 tokens" in runaway(Answer("x", finish_reason="length", tokens=64))
    assert "get_weather" in runaway(Answer(calls=(BERGEN,), finish_reason="length"))
    assert runaway(Answer("x", finish_reason="stop")) == ""


def test_a_fault_reads_as_grade_and_words() -> None:
    assert str(Fault("no_call", "no tool was called")) == "no_call: no tool was called"


def test_deep_nesting_is_no_call_and_no_crash() -> None:
    assert call_in_text('{"a":' * 3000, TOOLS) == ""


def test_a_call_is_found_at_any_depth_after_what_is_none_and_after_what_never_closes() -> None:
    call = '{"steps": [{"a": 1}, {"name": "get_weather", "arguments": {}}]}'
    assert [call_in_text(text, TOOLS) for text in (call, f'{{"a": 1}} {call}', f'{{"a": {call}')] == ["get_weather"] * 3
    assert call_in_text('{"name": "get_weather"}', TOOLS) == ""
    assert call_in_text('{"name": "get_weather", "arguments": {}, "function": {"name": "none"}}', TOOLS) == ""


def test_short_is_one_bounded_line() -> None:
    assert short("a\nb") == '"a\\nb"'
    assert len(short("x" * 1000)) <= 120


def test_a_call_of_any_arguments_takes_none_that_another_wants() -> None:
    calls = [Call("1", "f", '{"a": "X"}'), Call("2", "f", '{"b": 2}'), Call("3", "f", '{"a": "x"}')]
    wanted: list[tuple[str, dict[str, Any] | None, bool]] = [
        ("f", None, False),
        ("f", {"a": "x"}, False),
        ("f", {"a": "x"}, True),
    ]
    assert wrong_call(calls, wanted) is None
    assert wrong_call(calls[:2], wanted[:2]) is None
