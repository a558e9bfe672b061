"""The content holds no special token's text (``markers`` has the list): neither a stop token, nor a tag of tools or reasoning."""

from __future__ import annotations

from typing import Literal

from pipeline.checks.assertions._base import Seen
from pipeline.checks.diagnose import Fault, short
from pipeline.checks.markers import REASONING, special_text, tool_markers

Argument = Literal[True]
EXAMPLE = True


def judge(seen: Seen, argument: bool) -> Fault | None:
    """Look for markers that the request itself did not bring in. Those of reasoning and of tools have grades of their own."""
    given, content = str(seen.request.get("messages", "")), seen.answer.content
    leaked = [text for text in special_text(content) if text not in given]
    if not leaked:
        return None
    if set(leaked) & set(REASONING):
        grade = "reasoning"
    elif set(leaked) <= set(tool_markers(content)):
        grade = "markers_in_content"
    else:
        grade = "text"
    return Fault(grade, f"the content holds {' '.join(leaked)}: {short(content)}")
