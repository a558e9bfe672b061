"""What is kept of a row of logits: a few numbers for each token that is asked about, never the row."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
Numbers = NDArray[np.floating[Any]]
Kind = type[np.float64] | type[np.float32]


class Reader(Protocol):
    """Reads rows. ``key`` says what is read, for whoever keeps it; it gives ``width`` numbers of ``kind`` a token."""

    key: str
    width: int
    kind: Kind

    def read(self, row: Logits, total: float, token: int, group: int, place: int) -> object:
        """Return the numbers for ``token``, which stands at ``place`` among the scored tokens of group number ``group``.
        ``row - total`` are the natural log-probabilities."""


class Logprob:
    """Reads the natural log-probability of the token itself."""

    key = "logprob"
    width = 1
    kind: Kind = np.float64

    def read(self, row: Logits, total: float, token: int, group: int, place: int) -> object:
        return float(row[token]) - total


class Greedy:
    """Reads the natural log-probability of the token itself, and 1 where no token is likelier, else 0."""

    key = "greedy"
    width = 2
    kind: Kind = np.float64

    def read(self, row: Logits, total: float, token: int, group: int, place: int) -> object:
        return float(row[token]) - total, float(row.argmax() == token)


class From:
    """Reads as ``reader`` does, the places counted from ``start``: for a part of a group that is decoded by itself."""

    def __init__(self, reader: Reader, start: int) -> None:
        self._reader, self._start = reader, start
        self.key, self.width, self.kind = f"{reader.key} from {start}", reader.width, reader.kind

    def read(self, row: Logits, total: float, token: int, group: int, place: int) -> object:
        return self._reader.read(row, total, token, group, self._start + place)


def log_total(row: Logits) -> float:
    """Return the logarithm of the sum of exponentials of a row; not finite where the row holds what is no number."""
    peak = row.max()
    return float(peak) + float(np.log(np.exp(row - peak).sum(dtype=np.float64)))
