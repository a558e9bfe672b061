"""The content holds each of the texts given; letter case does not count, and 6 does not stand in 16."""

from __future__ import annotations

from pipeline.checks.assertions._base import Seen, Texts
from pipeline.checks.diagnose import Fault, runaway, short
from pipeline.checks.wording import says

Argument = Texts
EXAMPLE = ["Paris"]


def judge(seen: Seen, argument: tuple[str, ...]) -> Fault | None:
    """Look for every text."""
    missing = [text for text in argument if not says(seen.answer.content, text)]
    if not missing:
        return None
    if runs := runaway(seen.answer):
        return Fault("runaway", runs)
    return Fault("text", f"{', '.join(map(short, missing))} is missing in {short(seen.answer.content)}")
