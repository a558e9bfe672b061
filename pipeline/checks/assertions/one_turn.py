"""The answer is one turn: no line of it is a bare role name, as when a model goes on to play both sides."""

from __future__ import annotations

import re
from typing import Literal

from pipeline.checks.assertions._base import Seen
from pipeline.checks.diagnose import Fault, short

Argument = Literal[True]
EXAMPLE = True
_ROLE = re.compile(r"^[^\w\n]*(system|user|human|assistant|model|tool)[^\w\n]*$", re.IGNORECASE | re.MULTILINE)


def judge(seen: Seen, argument: bool) -> Fault | None:
    """Look for a role name alone on its line."""
    found = _ROLE.search(seen.answer.content)
    return (
        Fault("text", f"the answer goes on to another turn, {found.group().strip()!r}: {short(seen.answer.content)}")
        if found
        else None
    )
