"""The answer is the same when the engine takes the prompt from its cache."""

from __future__ import annotations

from typing import Literal

from pipeline.checks.assertions._base import Seen
from pipeline.checks.diagnose import Fault
from pipeline.checks.streamed import differs

Argument = Literal[True]
EXAMPLE = True


def judge(seen: Seen, argument: bool) -> Fault | None:
    """Ask twice with caching on: the second answer rests on what the first left."""
    request = {**seen.request, "cache_prompt": True}
    seen.probe.ask(request)
    fault = differs(seen.answer, seen.probe.ask(request))
    return Fault("cache", fault.words.replace("whole", "fresh").replace("streamed", "cached")) if fault else None
