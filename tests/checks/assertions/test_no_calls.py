from __future__ import annotations

from pipeline.checks.assertions._base import Seen
from pipeline.checks.assertions.no_calls import judge
from pipeline.runtime.answer import Answer, Call

REQUEST = {"tools": [{"type": "function", "function": {"name": "get_weather"}}]}


def grade(answer: Answer) -> str | None:
    fault = judge(Seen(REQUEST, answer), True)
    return fault.grade if fault else None


def test_no_calls() -> None:
    assert grade(Answer("Paris.")) is None
    assert grade(Answer(calls=(Call("1", "get_weather", "{}"),))) == "needless_call"
    assert grade(Answer('<tool_call>{"name": "get_weather", "arguments": {}}</tool_call>')) == "markers_in_content"
    assert grade(Answer('{"name": "get_weather", "arguments": {}}')) == "json_in_content"
    assert grade(Answer('{"name": "Paris"}')) is None
