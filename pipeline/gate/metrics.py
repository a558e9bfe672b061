"""Metrics by the names that gates use, and their bounds."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline.checks.model import Verdict
from pipeline.core.errors import did_you_mean
from pipeline.gate.enough import enough
from pipeline.lock.model import Lockfile
from pipeline.record.model import Reason, Run
from pipeline.spec.gates import Limit


@dataclass(frozen=True)
class Measured:
    """One number on record. ``name`` is ``suite.metric`` or ``bench.metric``; ``test`` tells the settings of a benchmark
    apart. ``at_least`` is what a speed without a number reached even so: neighbours slow a program down, never up.
    ``unknown`` is how many items of its suite could not be judged.
    """

    name: str
    test: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    reason: str = ""
    n: int = 0
    at_least: float | None = None
    unknown: int = 0

    def __str__(self) -> str:
        if self.value is None:
            return f"no value ({self.reason or 'no reason given'})"
        unit = f" {self.unit}" if self.unit not in ("", "share") else ""
        interval = (
            "" if self.low is None or self.high is None else f" (95 % interval {self.low:.6g} to {self.high:.6g})"
        )
        return f"{self.value:.6g}{unit}{interval}"


def measured(runs: Sequence[Run]) -> list[Measured]:
    """Return every metric of the eval and bench runs."""
    found: list[Measured] = []
    for run in runs:
        if run.key.stage == "eval" and (evaluation := run.result.evaluation):
            unknown = sum(int(m.value) for m in evaluation.metrics if m.name == "unknown" and m.value)
            found += [
                Measured(f"{run.key.subject}.{m.name}", "", m.value, m.unit, m.low, m.high, n=m.n, unknown=unknown)
                for m in evaluation.metrics
            ]
        if run.key.stage == "bench":
            found += [
                Measured(
                    *(f"bench.{row.metric}", row.test, row.value, row.unit, row.low, row.high, row.reason),
                    n=len(row.samples),
                    at_least=row.detail.get("slowest") if row.inconclusive else None,
                )
                for row in run.result.bench
            ]
    return found


def missing_suites(lock: Lockfile, runs: Sequence[Run]) -> set[str]:
    """Return the eval suites of a lock, and ``bench``, that have not been run."""
    done = {run.key.subject for run in runs if run.key.stage == "eval"}
    benched = any(run.key.stage == "bench" for run in runs)
    return set(lock.spec.evals) - done | (set() if benched else {"bench"})


def judge_metric(rule: str, limit: Limit, values: Sequence[Measured], missing: Collection[str]) -> Reason:
    """Judge one bound. ``rule`` is the name as written, ``NAME[@TEST]``; without a test, every setting must hold.

    What has an interval passes when all of it lies within the bounds and fails when all of it lies outside; between
    these the items are too few to tell, which is unknown. ``limit.by`` may ask for the value alone. ``missing`` names
    the suites (and ``bench``) that have not been run.
    """
    bounds = [f"{word} {bound:g}" for word, bound in (("min", limit.min), ("max", limit.max)) if bound is not None]
    title = f"{rule}: {', '.join(bounds)}{' by value' if limit.by == 'value' else ''}"
    found = [value for value in values if rule in (value.name, f"{value.name}@{value.test}")]
    if not found:
        return Reason(title, Verdict.UNKNOWN, _why_missing(rule, values, missing))
    judged = [(value, *_judge(value, limit)) for value in found]
    verdict = next((v for v in (Verdict.FAIL, Verdict.UNKNOWN) if any(v is got for _, got, _ in judged)), Verdict.PASS)
    shown = [(value, why) for value, got, why in judged if got is verdict]
    several = len(found) > 1
    return Reason(
        title, verdict, "; ".join((f"{value.test}: {value}" if several else str(value)) + why for value, why in shown)
    )


def _judge(measured: Measured, limit: Limit) -> tuple[Verdict, str]:
    """Return the verdict, and what is to be said beside the number. A share counts unknown items as not right; a mean,
    such as a perplexity, leaves them out, so it shows no upper bound where there are some.
    """
    verdict, why = _by_bounds(measured, limit)
    if verdict is Verdict.PASS and limit.max is not None and measured.unknown and measured.unit != "items":
        return Verdict.UNKNOWN, f": {measured.unknown} items of the suite are unknown and not in it"
    return verdict, why


def _by_bounds(measured: Measured, limit: Limit) -> tuple[Verdict, str]:
    value = measured.value
    if value is None or math.isnan(value):
        if measured.at_least is None or limit.max is not None or measured.at_least < (limit.min or 0.0):
            return Verdict.UNKNOWN, ""
        return Verdict.PASS, f", but even the slowest repetition reached {measured.at_least:.6g} {measured.unit}"
    least, most = (-math.inf if limit.min is None else limit.min), (math.inf if limit.max is None else limit.max)
    if limit.by == "value" or measured.low is None or measured.high is None:
        return (Verdict.PASS if least <= value <= most else Verdict.FAIL), ""
    if least <= measured.low and measured.high <= most:
        return Verdict.PASS, ""
    if measured.high < least or measured.low > most:
        return Verdict.FAIL, ""
    return Verdict.UNKNOWN, f": {not_shown(measured, limit)}"


def not_shown(measured: Measured, limit: Limit) -> str:
    """Return why an interval that a bound runs through decides nothing, and about how many items would."""
    value, low, high = measured.value, measured.low, measured.high
    assert value is not None and low is not None and high is not None
    crossed = [
        (word, bound)
        for word, bound in (("min", limit.min), ("max", limit.max))
        if bound is not None and low <= bound <= high and bound != (low if word == "min" else high)
    ]
    sizes = [enough(value, low, high, measured.n, bound, share=measured.unit == "share") for _, bound in crossed]
    said = f"not shown either way, {' and '.join(f'{word} {bound:g}' for word, bound in crossed)} lies within it"
    if None in sizes or not measured.n:
        return f"{said}, and more items would not tell while the value is that near; by: value asks for the value alone"
    right = (limit.min is None or value >= limit.min) and (limit.max is None or value <= limit.max)
    needed = max(size for size in sizes if size is not None)
    return f"{said}: n = {measured.n} is too small; if the value stays, about {needed:,} would show that it {'holds' if right else 'fails'}"


def _why_missing(rule: str, values: Sequence[Measured], missing: Collection[str]) -> str:
    for suite in missing:
        if rule.startswith(f"{suite}."):
            return f"{suite} has not been run"
    names = sorted(
        {name for value in values for name in (value.name, f"{value.name}@{value.test}" if value.test else value.name)}
    )
    return "no metric of this name; " + did_you_mean(rule, names, "on record: " + (", ".join(names) or "none"))
