"""The answer ends for the reason given: ``stop`` (its stop token), ``tool_calls``, or ``length`` (the limit of tokens)."""

from __future__ import annotations

from typing import Literal

from pipeline.checks.assertions._base import Seen
from pipeline.checks.diagnose import Fault, runaway

Argument = Literal["stop", "tool_calls", "length"]
EXAMPLE = "stop"


def judge(seen: Seen, argument: str) -> Fault | None:
    """Compare ``finish_reason``; an answer at its limit is named a runaway."""
    reason = seen.answer.finish_reason
    if reason == argument:
        return None
    if runs := runaway(seen.answer):
        return Fault("runaway", runs)
    return Fault("protocol", f"finish_reason is {reason or 'missing'}, not {argument}")
