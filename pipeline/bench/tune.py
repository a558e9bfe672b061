"""Which engine settings are faster or smaller: coordinate descent around a spec's own. Pure; what is measured comes in.

One setting is changed at a time, and both sides are measured in turn. A change counts only if the 95 % intervals of both
means part by more than ``GAIN``; what may change outputs must also pass a guard. What was found better is where the
search goes on, until a whole pass finds nothing, or the time is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import mean
from typing import Any

from pydantic import ValidationError

from pipeline.bench.stats import mean_interval
from pipeline.core.errors import EngineError
from pipeline.spec.model import Engine

GAIN = 0.02
PASSES = 3
BETTER, NO_BETTER, UNKNOWN, REFUSED = "better", "no better", "inconclusive", "left out"
# These change the arithmetic and so may change outputs: they pass the guard or are left out.
GUARDED = frozenset({"cache_type_k", "cache_type_v", "flash_attention", "gpu_layers"})


@dataclass(frozen=True)
class Goal:
    """What is measured, in which unit, and whether less of it is better."""

    name: str
    metric: str
    unit: str
    less: bool


GOALS = {
    goal.name: goal
    for goal in (
        Goal("latency", "request_seconds", "s", True),
        Goal("throughput", "total_tok_s", "tok/s", False),
        Goal("memory", "peak_memory_bytes", "bytes", True),
    )
}


@dataclass(frozen=True)
class Side:
    """The repetitions of one side that count, and their mean with its 95 % interval, None for fewer than three."""

    samples: tuple[float, ...]

    @property
    def interval(self) -> tuple[float, float] | None:
        return mean_interval(self.samples)

    def content(self) -> dict[str, Any]:
        low, high = self.interval or (None, None)
        value = mean(self.samples) if self.samples else None
        return {"mean": value, "low": low, "high": high, "samples": list(self.samples)}


@dataclass(frozen=True)
class Trial:
    """One change that was tried: what came of it and why, both sides, and what the guard said."""

    change: dict[str, Any]
    verdict: str
    why: str
    present: Side = Side(())
    changed: Side = Side(())
    guard: str = ""

    def content(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        sides = {"present": self.present.content(), "changed": self.changed.content()}
        return {"change": self.change, "verdict": self.verdict, "why": self.why, **sides, "guard": self.guard}


@dataclass
class Tuned:
    """What a search came to: the best engine block found, and all that was tried."""

    start: Engine
    best: Engine
    trials: list[Trial] = field(default_factory=list)
    complete: bool = False

    @property
    def changes(self) -> dict[str, Any]:
        """What the best block says otherwise than the one at the start."""
        before, after = self.start.model_dump(mode="json"), self.best.model_dump(mode="json")
        return {key: value for key, value in after.items() if before[key] != value}


@dataclass(frozen=True)
class Machine:
    """What settings may make use of: physical cores, and the model's layers where a GPU could compute them."""

    cores: int
    gpu_layers: int = 0


# Measures (present, changed): the samples of both; raises EngineError where the second does not run.
Measure = Callable[[Engine, Engine], tuple[Sequence[float], Sequence[float]]]
# Tells whether outputs stay what they were, and what was found.
Guard = Callable[[Engine], tuple[bool, str]]


def descend(
    start: Engine,
    goal: Goal,
    machine: Machine,
    measure: Measure,
    guard: Guard,
    *,
    expired: Callable[[], bool] = lambda: False,
    told: Callable[[Trial], object] = lambda _: None,
) -> Tuned:
    """Search from ``start``; ``told`` hears of each trial when it ends."""
    tuned, seen = Tuned(start, start), {_key(start)}
    for _ in range(PASSES):
        before = tuned.best
        for change in moves(tuned.best, goal, machine):
            if expired():
                return tuned
            try:
                candidate = Engine.model_validate({**tuned.best.model_dump(), **change})
            except ValidationError:
                continue  # llama.cpp would refuse it
            if _key(candidate) in seen:
                continue
            seen.add(_key(candidate))
            trial = _try(tuned.best, candidate, change, goal, measure, guard)
            tuned.trials.append(trial)
            told(trial)
            if trial.verdict == BETTER:
                tuned.best = candidate
        if tuned.best == before:
            break
    tuned.complete = not expired()
    return tuned


def moves(engine: Engine, goal: Goal, machine: Machine) -> Iterator[dict[str, Any]]:
    """Yield the changes that are worth a trial for a goal, those that usually matter most first. Slots are changed for
    throughput alone: fewer would take away what a server offers.
    """
    if machine.gpu_layers:
        yield from ({"gpu_layers": layers} for layers in (machine.gpu_layers, machine.gpu_layers // 2, 0))
    if goal.name != "memory":
        counts = sorted({1, max(1, machine.cores // 2), max(1, machine.cores - 1), machine.cores})
        yield from ({"threads": count} for count in reversed(counts))
    if goal.name == "throughput":
        yield from ({"slots": slots} for slots in (engine.slots * 2, engine.slots // 2) if 1 <= slots <= 256)
    yield {"flash_attention": "off" if engine.flash_attention == "on" else "on"}
    for kind in ("q8_0", "f16"):
        yield {"cache_type_k": kind, "cache_type_v": kind, "flash_attention": "on"}
    for size in (128, 256, 512, 1024, 2048):
        yield {"micro_batch": size, "batch": max(size, engine.batch)}
    for size in (512, 2048):
        yield {"batch": size, "micro_batch": min(size, engine.micro_batch)}


def parted(present: Side, changed: Side, goal: Goal) -> tuple[str, str]:
    """Return a verdict on a change and why: the intervals must part by more than ``GAIN``."""
    one, two = present.interval, changed.interval
    if one is None or two is None:
        few = min(len(present.samples), len(changed.samples))
        return UNKNOWN, f"only {few} repetitions of a side count: it was kept waiting for cores, or the time was over"
    shown = mean(changed.samples) / mean(present.samples) - 1
    better = two[1] < one[0] * (1 - GAIN) if goal.less else two[0] > one[1] * (1 + GAIN)
    if better:
        return BETTER, f"{shown:+.1%}, and the intervals part by more than {GAIN:.0%}"
    return NO_BETTER, f"{shown:+.1%}; the intervals don't part by more than {GAIN:.0%} to the better"


def _try(
    present: Engine, candidate: Engine, change: dict[str, Any], goal: Goal, measure: Measure, guard: Guard
) -> Trial:
    try:
        before, after = (Side(tuple(samples)) for samples in measure(present, candidate))
    except EngineError as error:
        return Trial(change, REFUSED, f"the engine does not run so: {error.message.splitlines()[0]}")
    verdict, why = parted(before, after, goal)
    if verdict != BETTER or not GUARDED & _differing(present, candidate):
        return Trial(change, verdict, why, before, after)
    same, said = guard(candidate)
    return Trial(change, BETTER if same else REFUSED, why if same else f"outputs change: {said}", before, after, said)


def _differing(one: Engine, other: Engine) -> set[str]:
    return {key for key in Engine.model_fields if getattr(one, key) != getattr(other, key)}


def _key(engine: Engine) -> str:
    return engine.model_dump_json()


def content(tuned: Tuned, goal: Goal) -> Mapping[str, Any]:
    """Return a search as plain JSON."""
    return {
        "goal": asdict(goal),
        "rule": f"a change counts if the 95 % intervals part by more than {GAIN:.0%}",
        "complete": tuned.complete,
        "engine": tuned.best.model_dump(mode="json"),
        "changes": tuned.changes,
        "trials": [trial.content() for trial in tuned.trials],
    }
