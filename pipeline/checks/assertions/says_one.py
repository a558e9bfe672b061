"""The content holds at least one of the texts given; letter case does not count, and 6 does not stand in 16."""

from __future__ import annotations

from pipeline.checks.assertions._base import Seen, Texts
from pipeline.checks.diagnose import Fault, runaway, short
from pipeline.checks.wording import says

Argument = Texts
EXAMPLE = ["sorry", "error", "not found"]


def judge(seen: Seen, argument: tuple[str, ...]) -> Fault | None:
    """Look for any text."""
    if any(says(seen.answer.content, text) for text in argument):
        return None
    if runs := runaway(seen.answer):
        return Fault("runaway", runs)
    return Fault("text", f"none of {', '.join(map(short, argument))} stands in {short(seen.answer.content)}")
