"""Every call's arguments fit the schema that its tool declares: types, members of enumerations, what is required and what is extra."""

from __future__ import annotations

from typing import Literal

from pipeline.checks.assertions._base import Seen
from pipeline.checks.diagnose import Fault, short
from pipeline.checks.schemas import misfit

Argument = Literal[True]
EXAMPLE = True


def judge(seen: Seen, argument: bool) -> Fault | None:
    """An answer without calls fits; ``calls`` asks for calls."""
    schemas = {tool["function"]["name"]: tool["function"].get("parameters") for tool in seen.request.get("tools", ())}
    for call in seen.answer.calls:
        if call.name not in schemas:
            return Fault("wrong_tool", f"no tool {short(call.name)} is on offer")
        if (arguments := call.parsed()) is None:
            return Fault("bad_args", f"the arguments of {call.name} are no JSON object: {short(call.arguments)}")
        if words := misfit(arguments, schemas[call.name] or {}):
            return Fault("bad_args", f"{words}: {call}")
    return None
