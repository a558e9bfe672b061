from __future__ import annotations

from typing import Any

import pytest

from pipeline.checks.assertions._base import Seen
from pipeline.checks.assertions.obeyed_tool_choice import judge
from pipeline.checks.model import Verdict
from pipeline.runtime.answer import Answer, Call

TOOLS = [{"type": "function", "function": {"name": name}} for name in ("get_weather", "get_time")]
NAMED = {"type": "function", "function": {"name": "get_time"}}
WEATHER, TIME, TEXT = (
    Answer(calls=(Call("1", "get_weather", "{}"),)),
    Answer(calls=(Call("1", "get_time", "{}"),)),
    Answer("Hello!"),
)
LEAK = Answer('<tool_call>{"name": "get_weather", "arguments": {}}</tool_call>')


@pytest.mark.parametrize(
    ("choice", "answer", "obeyed"),
    [
        ("none", TEXT, True), ("none", WEATHER, False), ("none", LEAK, False), ("auto", TEXT, True), ("auto", WEATHER, True),
        ("required", WEATHER, True), ("required", TEXT, False), ("required", LEAK, False), (NAMED, TIME, True), (NAMED, WEATHER, False),
        (NAMED, TEXT, False),
    ],
)  # fmt: skip
def test_what_is_not_obeyed_is_a_limit_of_the_engine(choice: Any, answer: Answer, obeyed: bool) -> None:
    fault = judge(Seen({"tools": TOOLS, "tool_choice": choice}, answer), True)
    assert (fault is None) is obeyed
    if fault:
        assert (fault.grade, fault.verdict) == ("engine_limit", Verdict.UNKNOWN)


def test_a_forced_call_that_never_ends_is_the_models_fault() -> None:
    endless = Answer(calls=(Call("1", "get_time", '{"city": "aaaa'),), finish_reason="length")
    fault = judge(Seen({"tools": TOOLS, "tool_choice": "required"}, endless), True)
    assert fault is not None and (fault.grade, fault.verdict) == ("runaway", Verdict.FAIL)
