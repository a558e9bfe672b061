"""The chat template makes the same prompt of other forms of the conversation; each is a whole list of messages, as in the API."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from pipeline.checks.assertions._base import Seen, some
from pipeline.checks.diagnose import Fault, short

Messages = Annotated[tuple[dict[str, Any], ...], Field(strict=False, min_length=1)]
Argument = Annotated[tuple[Messages, ...], Field(strict=False), AfterValidator(some)]
EXAMPLE = [[{"role": "user", "content": "Hello!"}]]


def judge(seen: Seen, argument: tuple[Messages, ...]) -> Fault | None:
    """Ask the server for each prompt, and show where one differs."""
    prompt = seen.probe.prompt(seen.request)
    for number, messages in enumerate(argument, start=1):
        other = seen.probe.prompt({**seen.request, "messages": list(messages)})
        if other != prompt:
            at = next(
                (i for i, (a, b) in enumerate(zip(prompt, other, strict=False)) if a != b), min(len(prompt), len(other))
            )
            near = slice(max(0, at - 20), at + 40)
            return Fault(
                "prompt", f"form {number} gives another prompt: {short(other[near])} instead of {short(prompt[near])}"
            )
    return None
