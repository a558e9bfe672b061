"""What a played model says, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Script:
    """What to say after a prompt of ``prompt`` tokens, token by token."""

    prompt: int
    tokens: tuple[int, ...]

    @property
    def places(self) -> range:
        """The positions that decide: the prompt's last token decides the first one said."""
        return range(self.prompt - 1, self.prompt - 1 + len(self.tokens))


def table(scripts: Sequence[Script]) -> dict[int, int]:
    """Return position -> token. Raises ValueError where two scripts want different tokens at one position."""
    found: dict[int, int] = {}
    for script in scripts:
        for place, token in zip(script.places, script.tokens, strict=True):
            if found.setdefault(place, token) != token:
                raise ValueError(f"two scripts meet at position {place}")
    return found
