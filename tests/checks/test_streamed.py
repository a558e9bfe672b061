from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.checks.streamed import differs
from pipeline.runtime.answer import Answer, Call

WHOLE = Answer("a", "b", (Call("1", "f", '{"x": 1}'),), "tool_calls")


def test_only_ids_may_differ() -> None:
    assert differs(WHOLE, replace(WHOLE, calls=(Call("2", "f", '{"x": 1}'),))) is None


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
    fault = differs(WHOLE, streamed)
    assert fault is not None and fault.grade == "stream" and fault.words.startswith(f"{what} differs")
