"""The content holds each of the texts given, letter by letter: case, spaces and line ends count."""

from __future__ import annotations

from pipeline.checks.assertions._base import Seen, Texts
from pipeline.checks.diagnose import Fault, runaway, short

Argument = Texts
EXAMPLE = ["Zażółć gęślą jaźń"]


def judge(seen: Seen, argument: tuple[str, ...]) -> Fault | None:
    """Look for every text; the sign of a broken character is named."""
    content = seen.answer.content
    missing = [text for text in argument if text not in content]
    if not missing:
        return None
    if runs := runaway(seen.answer):
        return Fault("runaway", runs)
    broken = "; it holds U+FFFD, a broken character" if "�" in content else ""
    return Fault("text", f"{', '.join(map(short, missing))} is missing in {short(content)}{broken}")
