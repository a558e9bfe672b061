"""The content is not empty."""

from __future__ import annotations

from typing import Literal

from pipeline.checks.assertions._base import Seen
from pipeline.checks.diagnose import Fault, short

Argument = Literal[True]
EXAMPLE = True


def judge(seen: Seen, argument: bool) -> Fault | None:
    """White space alone counts as empty."""
    if seen.answer.content.strip():
        return None
    aside = f"; the reasoning is {short(seen.answer.reasoning)}" if seen.answer.reasoning else ""
    return Fault("text", f"the content is empty{aside}")
