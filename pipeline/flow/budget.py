"""Which models are in memory at a time: what all may take together, and which go when another one is asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """How it stands with a model. ``size`` in bytes; ``there``: it takes that memory now; ``free``: it is there, nobody is
    asking it and nobody waits for it. ``used``: when somebody last did; ``asked``: since when the first request waits for
    it to be loaded, None when none does. Times are of one clock.
    """

    name: str
    size: int
    there: bool = False
    free: bool = False
    used: float = 0.0
    asked: float | None = None


@dataclass(frozen=True)
class Start:
    """What to start, and what to stop before."""

    name: str
    stop: tuple[str, ...] = ()


def next_start(models: Sequence[Standing], budget: float) -> Start | None:
    """Return what to start now, None when nothing is asked for or nothing can make room.

    Whoever has waited longest comes first. Another goes ahead of one that finds no room yet only where there is memory for
    both, so that none is overtaken for ever.
    """
    taken = sum(one.size for one in models if one.there)
    waiting = [(one.asked, one.name, one) for one in models if one.asked is not None and not one.there]
    before = 0
    for _, _, one in sorted(waiting, key=lambda found: found[:2]):
        stop = _least_used(models, taken + one.size - budget)
        if stop is not None and before + one.size <= budget:
            return Start(one.name, stop)
        before += one.size
    return None


def outstayed(models: Iterable[Standing], before: float) -> tuple[str, ...]:
    """Return the models that are free and were last used before then."""
    return tuple(one.name for one in models if one.free and one.used <= before)


def _least_used(models: Iterable[Standing], wanted: float) -> tuple[str, ...] | None:
    """Return the free models to stop for so many bytes: the least recently used first, none that need not go. None when
    all together are too few.
    """
    chosen: list[Standing] = []
    missing = wanted
    for one in sorted((one for one in models if one.free), key=lambda one: (one.used, one.name)):
        if missing <= 0:
            break
        chosen.append(one)
        missing -= one.size
    if missing > 0:
        return None
    for one in reversed(chosen[:]):
        if missing + one.size <= 0:
            chosen.remove(one)
            missing += one.size
    return tuple(one.name for one in chosen)
