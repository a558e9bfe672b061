from __future__ import annotations

from pipeline.checks.assertions._base import Seen
from pipeline.checks.assertions.calls import Wanted, judge
from pipeline.checks.model import Verdict
from pipeline.runtime.answer import Answer, Call

REQUEST = {"tools": [{"type": "function", "function": {"name": "get_weather"}}]}
WANTED = (Wanted(name="get_weather", arguments={"city": "Bergen"}),)


def grade(answer: Answer) -> str | None:
    fault = judge(Seen(REQUEST, answer), WANTED)
    return fault.grade if fault else None


def test_calls() -> None:
    bergen = Call("1", "get_weather", '{"city": "Bergen"}')
    assert grade(Answer(calls=(bergen,), finish_reason="tool_calls")) is None
    assert grade(Answer(calls=(bergen,), finish_reason="stop")) == "protocol"
    assert grade(Answer(calls=(bergen, bergen), finish_reason="tool_calls")) == "needless_call"
    assert grade(Answer(calls=(Call("1", "get_time", "{}"),), finish_reason="tool_calls")) == "wrong_tool"
    assert grade(Answer('{"name": "get_weather", "arguments": {}}')) == "json_in_content"
    assert grade(Answer("No.")) == "no_call"


def test_more_than_one_call_where_the_engine_had_to_forbid_it_is_its_limit() -> None:
    bergen = Call("1", "get_weather", '{"city": "Bergen"}')
    seen = Seen({**REQUEST, "parallel_tool_calls": False}, Answer(calls=(bergen, bergen), finish_reason="tool_calls"))
    fault = judge(seen, WANTED)
    assert fault is not None and (fault.grade, fault.verdict) == ("engine_limit", Verdict.UNKNOWN)
