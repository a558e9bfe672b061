"""The prompt that the chat template makes holds these texts, letter by letter, in this order."""

from __future__ import annotations

from pipeline.checks.assertions._base import Seen, Texts
from pipeline.checks.diagnose import Fault, short

Argument = Texts
EXAMPLE = ["Hello!"]


def judge(seen: Seen, argument: tuple[str, ...]) -> Fault | None:
    """Ask the server for the prompt."""
    prompt, place = seen.probe.prompt(seen.request), 0
    for text in argument:
        found = prompt.find(text, place)
        if found < 0:
            why = "stands at the wrong place in" if text in prompt else "is missing in"
            return Fault("prompt", f"{short(text)} {why} the prompt, which ends in {short(prompt[-80:])}")
        place = found + len(text)
    return None
