"""Uncertainty of a share and of a mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

Z95 = 1.959963984540054


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson 1927): right for small ``n`` and near 0 and 1. ValueError for
    ``n`` < 1."""
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"{successes} of {n}")
    share, z2 = successes / n, Z95 * Z95
    center = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, center - half), min(1.0, center + half)


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and its standard error, infinite for a single value. Raises ValueError for none."""
    if not values:
        raise ValueError("no values")
    n, mean = len(values), math.fsum(values) / len(values)
    if n == 1:
        return mean, math.inf
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    return mean, math.sqrt(variance / n)
