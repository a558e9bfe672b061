"""A text in windows, cut as llama-perplexity cuts it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.errors import UsageError
from pipeline.runtime.packing import Group, Tokens


@dataclass(frozen=True)
class Piece:
    """What is scored together: a window, or a pair."""

    id: str
    text: str
    group: Group


def windows(tokens: Tokens, bos: int | None, size: int, stride: int | None = None) -> list[Piece]:
    """Cut a text into full windows of ``size`` tokens that begin every ``stride`` tokens (default: ``size``). In each the
    tokens after place ``size // 2`` are scored; ``bos``, where the model wants it, takes the place of the first token.

    Raises UsageError when the text is shorter than one window.
    """
    if len(tokens) < size:
        message = f"the text has {len(tokens)} tokens, less than one window of {size}"
        raise UsageError(message, hint="take a longer text, or a smaller context in suite.yaml")
    pieces = []
    for number, start in enumerate(range(0, len(tokens) - size + 1, stride or size), 1):
        window = tokens[start : start + size]
        if bos is not None:
            window = (bos, *window[1:])
        split = size // 2 + 1
        label = f"tokens {start + split} to {start + size - 1}"
        pieces.append(Piece(f"window-{number:04d}", label, Group(window[:split], (window[split:],))))
    return pieces
