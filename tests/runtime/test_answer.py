from __future__ import annotations

from typing import Any

import pytest

from pipeline.runtime.answer import Call, read_whole
from tests.checks.scripted import call, completion


def test_reads_text() -> None:
    answer = read_whole(completion("Hello! How can I help you?", tokens=11), {})
    assert (answer.content, answer.finish_reason, answer.tokens, answer.calls) == (
        "Hello! How can I help you?",
        "stop",
        11,
        (),
    )
    assert answer.trouble is None and answer.problems == ()


def test_reads_calls_and_gives_them_back_as_a_message() -> None:
    answer = read_whole(
        completion(None, finish="tool_calls", calls=[call("get_weather", '{"city": "Bergen"}', "abc")]), {}
    )
    assert answer.calls == (Call("abc", "get_weather", '{"city": "Bergen"}'),)
    assert answer.message() == {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": "abc", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Bergen"}'}}
        ],
    }


@pytest.mark.parametrize(
    ("ids", "problem"), [(("a", ""), "tool call 1 has no id"), (("a", "a"), "two tool calls share one id")]
)
def test_ids_must_be_there_and_differ(ids: tuple[str, str], problem: str) -> None:
    answer = read_whole(completion("", calls=[call("f", "{}", one) for one in ids]), {})
    assert answer.problems == (problem,)


@pytest.mark.parametrize(
    "body",
    [
        None, [], {}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": None}]}, {"choices": [{"message": {"content": 3}}]},
        completion(calls=[{"function": {"name": "f"}}]), completion(calls=[{"function": {"name": "f", "arguments": {"a": 1}}}]),
    ],
)  # fmt: skip
def test_what_is_no_completion_is_trouble(body: Any) -> None:
    trouble = read_whole(body, {}).trouble
    assert trouble is not None and trouble.grade == "protocol"


@pytest.mark.parametrize(
    ("text", "value"),
    [('{"a": 1}', {"a": 1}), ("[1]", None), ('{"a": NaN}', None), ('{"a"', None), ("[" * 100_000, None)],
)
def test_arguments_are_an_object_or_nothing(text: str, value: Any) -> None:
    assert Call("i", "f", text).parsed() == value
