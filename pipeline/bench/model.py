"""What a benchmark measures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class BenchRow:
    """One measured quantity.

    ``layer`` is ``engine`` (llama-bench) or ``service`` (llama-server over HTTP); ``metric`` is its full name in gates
    and reports, for instance ``decode_tok_s`` or ``ttft_ms``; ``test`` tells settings apart (``pp512``, ``streams=4``).
    ``value`` is the median of ``samples``; ``low`` and ``high`` are a 95 % interval where one is known: of the mean for
    rates over many tokens, of the median or percentile for what each request took.
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
