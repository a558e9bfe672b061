"""Statistics of two models on the same items: tests, intervals, and what could have been found at all.

All of it is about ``b - a`` of pairs. Nothing is drawn but with a fixed seed: the same pairs give the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from pipeline.evals.intervals import Z95, wilson

RESAMPLES = 10_000
SEED = 20_231
EXACT_UP_TO = 15
ALPHA, POWER = 0.05, 0.8
_DRAWS = 2_000_000
_NORMAL = NormalDist()
Numbers = NDArray[np.float64]


def mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided p of McNemar's exact test (McNemar 1947; exact by the binomial distribution): could so uneven
    a split of the items on which two models disagree be chance? 1 where they disagree on none. ValueError below 0."""
    if gained < 0 or lost < 0:
        raise ValueError(f"{gained} and {lost}")
    n = gained + lost
    tail = ways = 1
    for i in range(min(gained, lost)):
        ways = ways * (n - i) // (i + 1)  # the next binomial coefficient, exactly
        tail += ways
    return min(1.0, 2 * tail / (1 << n))


def newcombe(both: int, lost: int, gained: int, neither: int) -> tuple[float, float]:
    """Return the 95 % interval of the difference of two shares of the same items, ``gained - lost`` over all, from the
    intervals of each (Newcombe 1998, method 10): it has a width also where nothing changed. ValueError for no items."""
    n = both + lost + gained + neither
    first, second = both + lost, both + gained
    low1, high1 = wilson(first, n)
    low2, high2 = wilson(second, n)
    p1, p2 = first / n, second / n
    spread = first * (n - first) * second * (n - second)
    cross = both * neither - lost * gained
    cross_corrected = max(cross - n / 2, 0.0) if cross > 0 else float(cross)
    phi = cross_corrected / math.sqrt(spread) if spread else 0.0

    def reach(up: float, down: float) -> float:
        return math.sqrt(max(0.0, up * up - 2 * phi * up * down + down * down))

    difference = p2 - p1
    return (
        max(-1.0, difference - reach(p2 - low2, high1 - p1)),
        min(1.0, difference + reach(high2 - p2, p1 - low1)),
    )


def sign_flip(differences: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """Return the two-sided p of the paired randomization test (Fisher 1935): could the mean difference be this large if
    it were chance which model has which score? Exact up to ``EXACT_UP_TO`` pairs, else by ``RESAMPLES`` random flips.
    1 for no pairs."""
    values, scale = _checked(differences, weights)
    moved = values * scale
    moved = moved[moved != 0]
    if not len(moved):
        return 1.0
    seen = abs(float(moved.sum()))
    limit = seen - 1e-9 * float(np.abs(moved).sum())  # sums in another order differ in their last bits
    if len(moved) <= EXACT_UP_TO:
        codes = np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved)) & 1
        return float((np.abs((1 - 2 * codes) @ moved) >= limit).mean())
    generator = np.random.default_rng(SEED)
    hits = 0
    for count in _rounds(len(moved)):
        flips = generator.integers(0, 2, (count, len(moved)), dtype=np.int8)
        hits += int((np.abs((1 - 2 * flips) @ moved) >= limit).sum())
    return (hits + 1) / (RESAMPLES + 1)


def bootstrap(differences: Sequence[float], weights: Sequence[float] | None = None) -> tuple[float, float] | None:
    """Return the 95 % interval of the (weighted) mean difference by the paired bootstrap, bias-corrected and accelerated
    (BCa; Efron 1987), from ``RESAMPLES`` resamples of pairs. None for fewer than two pairs."""
    values, scale = _checked(differences, weights)
    n = len(values)
    if n < 2:
        return None
    moved, mean = values * scale, float((values * scale).sum() / scale.sum())
    if not np.ptp(values):
        return mean, mean
    generator = np.random.default_rng(SEED)
    drawn = np.concatenate(
        [
            moved[places].sum(axis=1) / scale[places].sum(axis=1)
            for places in (generator.integers(0, n, (count, n)) for count in _rounds(n))
        ]
    )
    below = float(((drawn < mean).mean() + (drawn <= mean).mean()) / 2)
    bias = _NORMAL.inv_cdf(min(max(below, 0.5 / RESAMPLES), 1 - 0.5 / RESAMPLES))
    left_out = (moved.sum() - moved) / (scale.sum() - scale)
    pull = left_out.mean() - left_out
    spread = float((pull**2).sum())
    speed = float((pull**3).sum()) / (6 * spread**1.5) if spread else 0.0
    ends = [_corrected(bias, speed, bias + z) for z in (-Z95, Z95)]
    low, high = np.quantile(drawn, ends)
    return float(low), float(high)


def _corrected(bias: float, speed: float, z: float) -> float:
    return _NORMAL.cdf(bias + z / max(1 - speed * z, 1e-9))


def _checked(differences: Sequence[float], weights: Sequence[float] | None) -> tuple[Numbers, Numbers]:
    values = np.asarray(differences, dtype=np.float64)
    scale = np.ones_like(values) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(values) != len(scale) or not np.isfinite(values).all() or not (scale > 0).all():
        raise ValueError("pairs want finite differences, and a weight above 0 each")
    return values, scale


def _rounds(n: int) -> list[int]:
    """Return how many resamples of ``n`` pairs to draw at a time, so that memory stays bounded."""
    size = max(1, min(RESAMPLES, _DRAWS // n))
    return [size] * (RESAMPLES // size) + [RESAMPLES % size] * bool(RESAMPLES % size)


def least_share(disagreeing: int, n: int, *, alpha: float = ALPHA) -> float | None:
    """Return the smallest true difference of two shares that McNemar's test on ``n`` items would find 8 times out of 10
    at level ``alpha``, if the models disagree as often as they did here (Connor 1987). None where no number of
    disagreements on so few items could be found: even all of them one way are not enough.
    """
    fewest = math.ceil(1 - math.log2(alpha))  # so many, all one way, have p <= alpha
    if n < fewest:
        return None
    z_alpha, z_power = _NORMAL.inv_cdf(1 - alpha / 2), _NORMAL.inv_cdf(POWER)
    share = max(disagreeing, fewest) / n
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        spread = max(share, middle)  # a difference takes as many disagreements at least
        found = z_alpha * math.sqrt(spread) + z_power * math.sqrt(spread - middle * middle) <= middle * math.sqrt(n)
        low, high = (low, middle) if found else (middle, high)
    return max(high, fewest / n)


def least_mean(differences: Sequence[float], *, alpha: float = ALPHA) -> float | None:
    """Return the smallest true mean difference that so many pairs, spread as these are, would show 8 times out of 10.
    None for fewer than two pairs."""
    if len(differences) < 2:
        return None
    error = float(np.std(np.asarray(differences, dtype=np.float64), ddof=1)) / math.sqrt(len(differences))
    return (_NORMAL.inv_cdf(1 - alpha / 2) + _NORMAL.inv_cdf(POWER)) * error


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values adjusted for how many there are (Holm 1979): the chance of any false alarm stays at the level."""
    adjusted, least = {}, 0.0
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    for place, (name, p) in enumerate(ordered):
        least = min(1.0, max(least, p * (len(ordered) - place)))
        adjusted[name] = least
    return {name: adjusted[name] for name in p_values}
