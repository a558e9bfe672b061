"""The content is JSON that fits a JSON Schema (draft 2020-12 where it names none); ``{}`` is any JSON."""

from __future__ import annotations

import json
from typing import Any

from pipeline.checks.assertions._base import Schema, Seen
from pipeline.checks.diagnose import Fault, runaway, short
from pipeline.checks.model import Verdict
from pipeline.checks.schemas import misfit
from pipeline.core.canonical import no_constant

Argument = Schema
EXAMPLE = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def judge(seen: Seen, argument: dict[str, Any]) -> Fault | None:
    """Where the request has a ``response_format``, to hold the model to it is the engine's part: a limit of the engine."""
    content = seen.answer.content
    if runs := runaway(seen.answer):
        return Fault("runaway", runs)
    if not content.strip() and seen.answer.reasoning.strip():
        return Fault("in_reasoning", f"the content is empty; the reasoning is {short(seen.answer.reasoning)}")
    try:
        value = json.loads(content, parse_constant=no_constant)
    except (ValueError, RecursionError):
        words = "the content is not JSON"
    else:
        words = misfit(value, argument)
    if not words:
        return None
    held = seen.request.get("response_format", {}).get("type", "text") != "text"
    said = f"{words}: {short(content)}"
    return (
        Fault("engine_limit", f"response_format was not enforced; {said}", Verdict.UNKNOWN)
        if held
        else Fault("bad_json", said)
    )
