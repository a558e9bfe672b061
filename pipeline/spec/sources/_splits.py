"""Split GGUF sets: ``model-00001-of-00003.gguf`` and its siblings are one model; llama.cpp finds them by name."""

from __future__ import annotations

import re

from pipeline.core.errors import UsageError

_PART = re.compile(r"(.*)-([0-9]{5})-of-([0-9]{5})\.gguf")


def split_set(name: str) -> tuple[str, ...]:
    """Return the names of the whole set that ``name`` is one of, in order; the name alone for a file that is none.

    Raises UsageError for any but the first: the first is what names the set.
    """
    found = _PART.fullmatch(name)
    if not found:
        return (name,)
    stem, number, count = found[1], int(found[2]), int(found[3])
    if not 1 <= number <= count:
        raise UsageError(f"{name}: there is no part {number} of {count}", hint="name the first file of the set")
    if number != 1:
        raise UsageError(f"{name} is part {number} of a set", hint=f"name the first: {stem}-00001-of-{count:05d}.gguf")
    return tuple(f"{stem}-{part:05d}-of-{count:05d}.gguf" for part in range(1, count + 1))
