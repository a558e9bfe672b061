"""What a benchmark measures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class BenchRow:
    """One measured quantity.

    ``layer`` is ``engine`` (llama-bench) or ``service`` (llama-server over HTTP); ``metric`` is its full name in gates
    and reports, for instance ``decode_tok_s`` or ``ttft_ms``; ``test`` tells settings apart (``pp512``, ``streams=4``).
    ``value`` is the median of ``samples``, ``low`` and ``high`` the 95 % interval of their mean where it is known.
    Missing values are None with a ``reason``, never 0. ``inconclusive``: it was measured, but too little of it counts.
    """

    layer: str
    test: str
    metric: str
    value: float | None
    unit: str
    samples: tuple[float, ...] = ()
    reason: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    inconclusive: bool = False
