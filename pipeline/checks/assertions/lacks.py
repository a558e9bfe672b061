"""The content holds none of the texts given; letter case does not count."""

from __future__ import annotations

from pipeline.checks.assertions._base import Seen, Texts
from pipeline.checks.diagnose import Fault, short

Argument = Texts
EXAMPLE = ["password"]


def judge(seen: Seen, argument: tuple[str, ...]) -> Fault | None:
    """Look for every text."""
    content = seen.answer.content.casefold()
    found = [text for text in argument if text.casefold() in content]
    return Fault("text", f"{', '.join(map(short, found))} stands in {short(seen.answer.content)}") if found else None
