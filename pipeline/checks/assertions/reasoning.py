"""The answer has reasoning apart from its content (``present``), or none at all (``absent``)."""

from __future__ import annotations

from typing import Literal

from pipeline.checks.assertions._base import Seen
from pipeline.checks.diagnose import Fault, runaway, short
from pipeline.checks.markers import REASONING

Argument = Literal["present", "absent"]
EXAMPLE = "absent"


def judge(seen: Seen, argument: str) -> Fault | None:
    """Tags of reasoning in the content are reasoning at the wrong place."""
    answer = seen.answer
    if tags := [tag for tag in REASONING if tag in answer.content]:
        return Fault("reasoning", f"reasoning stands in the content, with {' '.join(tags)}: {short(answer.content)}")
    if argument == "absent" and answer.reasoning.strip():
        return Fault("reasoning", f"there is reasoning where none was wanted: {short(answer.reasoning)}")
    if argument == "present" and not answer.reasoning.strip():
        if runs := runaway(answer):
            return Fault("runaway", runs)
        return Fault("reasoning", f"there is no reasoning; the content is {short(answer.content)}")
    return None
