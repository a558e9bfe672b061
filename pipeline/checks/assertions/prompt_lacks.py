"""The prompt that the chat template makes holds none of these texts."""

from __future__ import annotations

from pipeline.checks.assertions._base import Seen, Texts
from pipeline.checks.diagnose import Fault, short

Argument = Texts
EXAMPLE = ["None"]


def judge(seen: Seen, argument: tuple[str, ...]) -> Fault | None:
    """Ask the server for the prompt."""
    prompt = seen.probe.prompt(seen.request)
    for text in argument:
        if (at := prompt.find(text)) >= 0:
            return Fault("prompt", f"{short(text)} stands in the prompt: {short(prompt[max(0, at - 40) : at + 40])}")
    return None
