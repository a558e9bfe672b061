"""The answer has at most this many tokens."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.checks.assertions._base import Seen
from pipeline.checks.diagnose import Fault, runaway, short

Argument = Annotated[int, Field(gt=0)]
EXAMPLE = 32


def judge(seen: Seen, argument: int) -> Fault | None:
    """Take the server's count; where it gives none, nothing can be said."""
    answer = seen.answer
    if answer.tokens is None:
        return Fault("protocol", "the answer does not state its tokens")
    if answer.tokens <= argument:
        return None
    if runs := runaway(answer):
        return Fault("runaway", runs)
    return Fault("too_long", f"{answer.tokens} tokens, more than {argument}: {short(answer.content)}")
