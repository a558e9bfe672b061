from __future__ import annotations

from pipeline.checks.assertions._base import Seen
from pipeline.checks.assertions.finish import judge
from pipeline.runtime.answer import Answer


def grade(reason: str, wanted: str) -> str | None:
    fault = judge(Seen({}, Answer("x", finish_reason=reason, tokens=8)), wanted)
    return fault.grade if fault else None


def test_finish() -> None:
    assert grade("stop", "stop") is None
    assert grade("length", "length") is None
    assert grade("length", "stop") == "runaway"
    assert grade("tool_calls", "stop") == "protocol"
    assert grade("", "stop") == "protocol"
