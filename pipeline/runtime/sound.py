"""Whether what a server computes are numbers. One whose weights are damaged writes tokens all the same, and they look like
answers of a weak model.
"""

from __future__ import annotations

from typing import Any

import httpx

from pipeline.core.errors import EngineError
from pipeline.runtime.answer import Trouble
from pipeline.runtime.ask import post

TEXT = " The quick brown fox jumps over the lazy dog."
WITHIN = 600.0


def require_numbers(client: httpx.Client, slots: int) -> None:
    """Ask for one token and its log-probability. Raises EngineError where that is no number; silent where the server
    gives none, as one that only embeds.

    The text has no BOS in front and goes to the last slot, which is taken last: no answer that follows shares a prompt
    with it.
    """
    said = post(client, "/tokenize", {"content": TEXT, "add_special": False, "parse_special": False}, timeout=WITHIN)
    tokens = [] if isinstance(said, Trouble) else said.get("tokens") or []
    request = {"prompt": tokens, "n_predict": 1, "n_probs": 1, "temperature": 0, "cache_prompt": False}
    answer = post(client, "/completion", {**request, "id_slot": slots - 1}, timeout=WITHIN) if tokens else {}
    given = [] if isinstance(answer, Trouble) else answer.get("completion_probabilities") or []
    if any(_lost(one) for one in given):
        message = "llama-server computes log-probabilities that are not numbers: what it writes means nothing"
        raise EngineError(message, hint="the weights are damaged, or overflow in this precision")


def _lost(one: Any) -> bool:
    return isinstance(one, dict) and "logprob" in one and not isinstance(one["logprob"], int | float)
