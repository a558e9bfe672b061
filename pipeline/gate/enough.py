"""How many items would settle a question that these were too few for."""

from __future__ import annotations

import math

from pipeline.evals.intervals import Z95

MOST = 10_000_000


def enough(value: float, low: float, high: float, n: int, bound: float, *, share: bool = False) -> int | None:
    """Return about how many items would give an interval that leaves out ``bound``, if the value stays; None where that
    would take more than ``MOST``, as when the value is the bound.

    ``low`` and ``high`` are the interval of ``n`` items. A share's is Wilson's, which is not symmetric; others shrink
    with the root of ``n``.
    """
    gap = abs(value - bound)
    if not gap:
        return None
    if share and 0 <= value <= 1:
        return _enough_for_share(value, n, bound)
    reach = (value - low) if bound < value else (high - value)
    needed = math.ceil(n * (reach / gap) ** 2)
    return max(n + 1, needed) if needed <= MOST else None


def _enough_for_share(value: float, n: int, bound: float) -> int | None:
    few, many = n, n
    while not _leaves_out(value, many, bound):
        few, many = many, max(1, 2 * many)
        if many > MOST:
            return None
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if _leaves_out(value, middle, bound) else (middle, many)
    return many


def _leaves_out(share: float, n: int, bound: float) -> bool:
    """Whether the score interval of a share of ``n`` leaves out ``bound``: the bound as hypothesis is refused."""
    return n > 0 and (share - bound) ** 2 > Z95 * Z95 * bound * (1 - bound) / n if 0 < bound < 1 else n > 0
