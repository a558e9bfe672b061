from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.checks.assertions._base import Seen, wants_stream
from pipeline.checks.assertions.same_when_streamed import judge
from pipeline.runtime.answer import Answer, Call

WHOLE = Answer("a", "b", (Call("1", "f", '{"x": 1}'),), "tool_calls")


def test_only_ids_may_differ() -> None:
    assert judge(Seen({}, WHOLE, replace(WHOLE, calls=(Call("2", "f", '{"x": 1}'),))), True) is None


@pytest.mark.parametrize(
    ("streamed", "what"),
    [
        (replace(WHOLE, calls=()), "the number of calls"),
        (replace(WHOLE, calls=(Call("1", "g", '{"x": 1}'),)), "the names of the calls"),
        (replace(WHOLE, calls=(Call("1", "f", '{"x":1}'),)), "the arguments"),
        (replace(WHOLE, content="A"), "the content"),
        (replace(WHOLE, reasoning=""), "the reasoning"),
        (replace(WHOLE, finish_reason="stop"), "finish_reason"),
    ],
)
def test_a_difference_is_named(streamed: Answer, what: str) -> None:
    fault = judge(Seen({}, WHOLE, streamed), True)
    assert fault is not None and fault.grade == "stream" and fault.words.startswith(f"{what} differs")


def test_it_asks_for_the_stream() -> None:
    assert wants_stream("same_when_streamed") and not wants_stream("finish")
    with pytest.raises(ValueError, match="did not ask"):
        judge(Seen({}, WHOLE), True)
