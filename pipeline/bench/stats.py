"""The few statistics that benchmark rows need, over raw samples."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the percentile by linear interpolation between the closest ranks (Hyndman and Fan's type 7).

    Raises ValueError for no samples or a percent outside 0…100.
    """
    if not samples or not 0 <= percent <= 100:
        raise ValueError(f"no percentile {percent} of {len(samples)} samples")
    ordered = sorted(samples)
    rank = (len(ordered) - 1) * percent / 100
    low, high = math.floor(rank), math.ceil(rank)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def median(samples: Sequence[float]) -> float:
    """Return the middle sample, or the mean of the middle two. Raises ValueError for no samples."""
    return percentile(samples, 50)


def spread(samples: Sequence[float]) -> float:
    """Return largest / smallest, or infinity where the smallest is 0. Raises ValueError for no samples."""
    if not samples:
        raise ValueError("no spread of no samples")
    return max(samples) / min(samples) if min(samples) > 0 else math.inf
