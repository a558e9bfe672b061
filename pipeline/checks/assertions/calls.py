"""Exactly these tools are called, in any order, with these arguments (left out: any); how a call failed is graded."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from pipeline.checks.assertions._base import Seen, some
from pipeline.checks.diagnose import Fault, missing_call, wrong_call
from pipeline.checks.model import Verdict
from pipeline.spec.parts import Part


class Wanted(Part):
    """One call. ``exact`` arguments are compared letter by letter, others as a reader would: letter case, outer spaces, quotes and a final
    full stop don't count."""

    name: str
    arguments: dict[str, Any] | None = None
    exact: bool = False


Argument = Annotated[tuple[Wanted, ...], Field(strict=False), AfterValidator(some)]
EXAMPLE = [{"name": "get_weather", "arguments": {"city": "Bergen"}}]


def judge(seen: Seen, argument: tuple[Wanted, ...]) -> Fault | None:
    """Grade the calls; they also must end the answer with ``finish_reason`` ``tool_calls``. To keep to one call is the engine's part."""
    if fault := missing_call(seen.answer, seen.tools):
        return fault
    if seen.request.get("parallel_tool_calls") is False and len(seen.answer.calls) > 1:
        called = ", ".join(map(str, seen.answer.calls))
        return Fault("engine_limit", f"parallel_tool_calls false was not enforced: {called}", Verdict.UNKNOWN)
    if fault := wrong_call(seen.answer.calls, [(wanted.name, wanted.arguments, wanted.exact) for wanted in argument]):
        return fault
    if seen.answer.finish_reason != "tool_calls":
        return Fault(
            "protocol",
            f"the calls are right, but finish_reason is {seen.answer.finish_reason or 'missing'}, not tool_calls",
        )
    return None
