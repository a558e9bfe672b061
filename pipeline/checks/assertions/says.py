"""The content holds each of the texts given; letter case does not count."""

from __future__ import annotations

from pipeline.checks.assertions._base import Seen, Texts
from pipeline.checks.diagnose import Fault, runaway, short

Argument = Texts
EXAMPLE = ["Paris"]


def judge(seen: Seen, argument: tuple[str, ...]) -> Fault | None:
    """Look for every text."""
    content = seen.answer.content.casefold()
    missing = [text for text in argument if text.casefold() not in content]
    if not missing:
        return None
    if runs := runaway(seen.answer):
        return Fault("runaway", runs)
    return Fault("text", f"{', '.join(map(short, missing))} is missing in {short(seen.answer.content)}")
