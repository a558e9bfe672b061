"""The content holds at least one of the texts given; letter case does not count."""

from __future__ import annotations

from pipeline.checks.assertions._base import Seen, Texts
from pipeline.checks.diagnose import Fault, runaway, short

Argument = Texts
EXAMPLE = ["sorry", "error", "not found"]


def judge(seen: Seen, argument: tuple[str, ...]) -> Fault | None:
    """Look for any text."""
    content = seen.answer.content.casefold()
    if any(text.casefold() in content for text in argument):
        return None
    if runs := runaway(seen.answer):
        return Fault("runaway", runs)
    return Fault("text", f"none of {', '.join(map(short, argument))} stands in {short(seen.answer.content)}")
