"""The few statistics that benchmark rows need, over raw samples."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from statistics import mean, stdev

# Fewer groups say too little of how much groups differ.
FEWEST = 6
RESAMPLES = 400


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


def resampled(groups: Sequence[Sequence[float]], percent: float) -> tuple[float, float] | None:
    """Return the 95 % interval of a percentile by a bootstrap over whole groups (Davison and Hinkley, 1997, 3.8): samples
    of one group, such as the gaps within one answer, are not independent. Always the same for the same samples; None for
    fewer than ``FEWEST`` groups.
    """
    if len(groups) < FEWEST:
        return None
    draws, found = random.Random(0), []
    for _ in range(RESAMPLES):
        taken = [value for group in draws.choices(groups, k=len(groups)) for value in group]
        found.append(percentile(taken, percent) if taken else math.nan)
    known = [value for value in found if not math.isnan(value)]
    return (percentile(known, 2.5), percentile(known, 97.5)) if known else None


def mean_interval(samples: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean by Student's t; None for fewer than three samples."""
    if len(samples) < 3:
        return None
    half = student(len(samples) - 1) * stdev(samples) / math.sqrt(len(samples))
    return mean(samples) - half, mean(samples) + half


def spread(samples: Sequence[float]) -> float:
    """Return largest / smallest, or infinity where the smallest is 0. Raises ValueError for no samples."""
    if not samples:
        raise ValueError("no spread of no samples")
    return max(samples) / min(samples) if min(samples) > 0 else math.inf


def deviant(samples: Sequence[float], *, least: float = 5.0) -> list[float]:
    """Return the samples whose modified z-score, 0.6745 |x - median| / MAD, is above ``least``; none where most are
    equal. (Iglewicz and Hoaglin, 1993, who take 3.5 for normal data; timings have longer tails.)
    """
    if len(samples) < 3:
        return []
    middle = median(samples)
    mad = median([abs(sample - middle) for sample in samples])
    return [sample for sample in samples if mad and 0.6745 * abs(sample - middle) / mad > least]


def student(freedom: int) -> float:
    """Return the 97.5 % point of Student's t for ``freedom`` degrees of freedom, from a table up to 30 and by Fisher's
    expansion beyond (Abramowitz and Stegun 26.7.5), exact to three decimals. Raises ValueError below 1.
    """
    if freedom < 1:
        raise ValueError(f"no t distribution with {freedom} degrees of freedom")
    if freedom <= len(_STUDENT):
        return _STUDENT[freedom - 1]
    z = 1.959963985
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


_STUDENT = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
