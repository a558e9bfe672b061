"""No tool is called: neither as a call, nor as text in the content."""

from __future__ import annotations

from typing import Literal

from pipeline.checks.assertions._base import Seen
from pipeline.checks.diagnose import Fault, call_in_text, short
from pipeline.checks.markers import tool_markers

Argument = Literal[True]
EXAMPLE = True


def judge(seen: Seen, argument: bool) -> Fault | None:
    """A call that came out as text is one all the same."""
    if seen.answer.calls:
        return Fault("needless_call", f"no call was wanted, got {', '.join(map(str, seen.answer.calls))}")
    markers = tool_markers(seen.answer.content)
    if markers or call_in_text(seen.answer.content, seen.tools):
        grade = "markers_in_content" if markers else "json_in_content"
        return Fault(grade, f"no call was wanted, one came out as plain content: {short(seen.answer.content)}")
    return None
