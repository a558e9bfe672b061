"""The request's ``tool_choice`` was obeyed: ``none`` gives no call, ``required`` at least one, a name one of that tool alone.

To obey is the engine's part, by constraining what the model can say. Where it was not obeyed, the outcome is unknown: an engine limit.
"""

from __future__ import annotations

from typing import Literal

from pipeline.checks.assertions._base import Seen
from pipeline.checks.diagnose import Fault, missing_call, runaway, short
from pipeline.checks.markers import tool_markers
from pipeline.checks.model import Verdict

Argument = Literal[True]
EXAMPLE = True


def judge(seen: Seen, argument: bool) -> Fault | None:
    """Compare what was called with what was allowed."""
    choice, called = seen.request.get("tool_choice", "auto"), [call.name for call in seen.answer.calls]
    if choice == "none":
        if called:
            return _limit(f"tool_choice none was not obeyed: {', '.join(called)} was called")
        if tool_markers(seen.answer.content):
            return _limit(
                f"under tool_choice none the tools stay in the prompt, and a call comes out as content: {short(seen.answer.content)}"
            )
        return None
    if choice == "auto":
        return None
    named = choice["function"]["name"] if isinstance(choice, dict) else ""
    asked = f"tool_choice {choice}" if not named else f"tool_choice naming {named}"
    if fault := missing_call(seen.answer, seen.tools):
        return _limit(f"{asked} was not enforced: {fault.words}")
    if named and set(called) != {named}:
        return _limit(f"{asked} was taken as auto: {', '.join(called)} was called")
    if runs := runaway(seen.answer):
        return Fault("runaway", runs)
    return None


def _limit(words: str) -> Fault:
    return Fault("engine_limit", words, Verdict.UNKNOWN)
