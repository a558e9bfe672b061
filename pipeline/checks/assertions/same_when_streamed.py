"""Streamed, the answer is the same as whole: text, calls, ``finish_reason``; and its deltas keep the protocol."""

from __future__ import annotations

from typing import Literal

from pipeline.checks.assertions._base import Seen
from pipeline.checks.diagnose import Fault, short
from pipeline.runtime.answer import Answer

Argument = Literal[True]
EXAMPLE = True
STREAMS = True


def judge(seen: Seen, argument: bool) -> Fault | None:
    """Ids differ from request to request, so they are compared only within an answer (``stream`` does that)."""
    whole, streamed = seen.answer, seen.streamed
    if streamed is None:
        raise ValueError("the engine did not ask for a stream")
    for what, one, other in _pairs(whole, streamed):
        if one != other:
            return Fault("stream", f"{what} differs: whole {short(str(one))}, streamed {short(str(other))}")
    return None


def _pairs(whole: Answer, streamed: Answer) -> list[tuple[str, object, object]]:
    return [
        ("the number of calls", len(whole.calls), len(streamed.calls)),
        ("the names of the calls", [call.name for call in whole.calls], [call.name for call in streamed.calls]),
        ("the arguments", [call.arguments for call in whole.calls], [call.arguments for call in streamed.calls]),
        ("the content", whole.content, streamed.content),
        ("the reasoning", whole.reasoning, streamed.reasoning),
        ("finish_reason", whole.finish_reason, streamed.finish_reason),
    ]
