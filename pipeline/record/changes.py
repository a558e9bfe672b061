"""Where a series of measurements changed its level, and did not merely scatter.

By halving (binary segmentation): the split at which the ranks to the left and to the right differ most is tested against
1,000 random orders of the same values; where fewer than 1 in 100 of them split as well, it is a change, and both sides are
searched in the same way. Ranks, so that a single outlier is no change. The random orders are always the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

LEAST = 4
ORDERS = 1_000
LEVEL = 0.01
LONGEST = 1_000


def changes(values: Sequence[float]) -> list[int]:
    """Return the indices at which a new level begins, in order; of more than ``LONGEST`` values only the last are
    searched. Each level has at least ``LEAST`` values.
    """
    first = max(0, len(values) - LONGEST)
    return sorted(first + index for index in _search(np.asarray(values[first:], dtype=np.float64), 0))


def _search(values: NDArray[np.float64], offset: int) -> Iterator[int]:
    if len(values) < 2 * LEAST:
        return
    ranks = _ranks(values)
    place, height = _best(ranks[None, :])
    orders = np.random.default_rng(0).permuted(np.tile(ranks, (ORDERS, 1)), axis=1)
    as_high = int(np.sum(_best(orders)[1] >= height[0] - 1e-9))
    if (as_high + 1) / (ORDERS + 1) >= LEVEL:
        return
    split = int(place[0])
    yield from _search(values[:split], offset)
    yield offset + split
    yield from _search(values[split:], offset + split)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks, ties at their mean."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: NDArray[np.float64] = (ends - (counts - 1) / 2)[where]
    return means


def _best(rows: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return, for each row, the best split, and how far its sides differ there: |difference of means| x sqrt(l r / n)."""
    length = rows.shape[1]
    left = np.arange(LEAST, length - LEAST + 1)
    sums = np.cumsum(rows, axis=1)
    below = sums[:, left - 1]
    means = np.abs(below / left - (sums[:, -1:] - below) / (length - left)) * np.sqrt(left * (length - left) / length)
    best = np.argmax(means, axis=1)
    return left[best], means[np.arange(len(rows)), best]
