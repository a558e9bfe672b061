"""What an eval yields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Metric:
    """One number. ``low`` and ``high`` bound its 95 % interval where one is defined; ``n`` counts the items or tokens behind it."""

    name: str
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    n: int = 0


@dataclass(frozen=True)
class Item:
    """One scored item. ``detail`` holds what a person needs to see why: prompt, choices, log-probabilities, tokens."""

    id: str
    score: float
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EvalResult:
    """All that one suite gave."""

    suite: str
    kind: str
    metrics: tuple[Metric, ...]
    items: tuple[Item, ...]


def from_plain(content: dict[str, Any]) -> EvalResult:
    """Return the result that ``dataclasses.asdict`` wrote as JSON."""
    return EvalResult(
        suite=content["suite"],
        kind=content["kind"],
        metrics=tuple(Metric(**metric) for metric in content["metrics"]),
        items=tuple(Item(**item) for item in content["items"]),
    )
