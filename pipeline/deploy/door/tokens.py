"""How many tokens an answer says that it took, found without reading it whole."""

from __future__ import annotations

import re

TAIL = 4096
"""Counts stand at the end of an answer, or in the last event of a stream."""

# A model can't forge them: within a JSON string the quotes would stand behind backslashes.
_PROMPT = re.compile(rb'"(?:prompt_tokens|input_tokens|prompt_n)"\s*:\s*(\d{1,9})')
_ANSWER = re.compile(rb'"(?:completion_tokens|output_tokens|predicted_n)"\s*:\s*(\d{1,9})')
_CACHED = re.compile(rb'"cache_n"\s*:\s*(\d{1,9})')


def counted(tail: bytes) -> tuple[int | None, int | None]:
    """Return the tokens of the prompt and of the answer, None where the end of an answer doesn't tell.

    llama.cpp's ``prompt_n`` leaves out what was in the cache, so ``usage`` is believed first.
    """
    return _prompt(tail), _last(_ANSWER, tail)


def _prompt(tail: bytes) -> int | None:
    usage = [int(one[1]) for one in _PROMPT.finditer(tail) if not one[0].startswith(b'"prompt_n')]
    if usage:
        return usage[-1]
    new = _last(_PROMPT, tail)
    return None if new is None else new + (_last(_CACHED, tail) or 0)


def _last(pattern: re.Pattern[bytes], tail: bytes) -> int | None:
    found = pattern.findall(tail)
    return int(found[-1]) if found else None
