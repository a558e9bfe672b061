"""Whether an answer is the same streamed as whole: text, calls, ``finish_reason``."""

from __future__ import annotations

from pipeline.checks.diagnose import Fault, short
from pipeline.runtime.answer import Answer


def differs(whole: Answer, streamed: Answer) -> Fault | None:
    """Return the first difference. Ids differ from request to request, so they are compared only within an answer (``stream`` does
    that)."""
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
