"""The content holds no special token's text (``markers`` has the list): neither a stop token, nor a tag of tools or reasoning."""

from __future__ import annotations

from typing import Literal

from pipeline.checks.assertions._base import Seen
from pipeline.checks.diagnose import Fault, short
from pipeline.checks.markers import special_text

Argument = Literal[True]
EXAMPLE = True


def judge(seen: Seen, argument: bool) -> Fault | None:
    """Look for markers that the request itself did not bring in."""
    given = str(seen.request.get("messages", ""))
    leaked = [text for text in special_text(seen.answer.content) if text not in given]
    return Fault("text", f"the content holds {' '.join(leaked)}: {short(seen.answer.content)}") if leaked else None
