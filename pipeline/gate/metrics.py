"""Metrics by the names that gates use, and their bounds."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline.checks.model import Verdict
from pipeline.record.model import Reason, Run


@dataclass(frozen=True)
class Measured:
    """One number on record. ``name`` is ``suite.metric`` or ``bench.metric``; ``test`` tells the settings of a
    benchmark
    apart."""

    name: str
    test: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    reason: str = ""

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
            found += [
                Measured(f"{run.key.subject}.{m.name}", "", m.value, m.unit, m.low, m.high) for m in evaluation.metrics
            ]
        if run.key.stage == "bench":
            found += [
                Measured(f"bench.{row.metric}", row.test, row.value, row.unit, reason=row.reason)
                for row in run.result.bench
            ]
    return found


def judge_metric(
    rule: str, low: float | None, high: float | None, values: Sequence[Measured], missing: Collection[str]
) -> Reason:
    """Judge one bound. ``rule`` is the name as written, ``NAME[@TEST]``; without a test, every setting must hold.

    ``missing`` names the suites (and ``bench``) that have not been run.
    """
    bounds = [f"{word} {bound:g}" for word, bound in (("min", low), ("max", high)) if bound is not None]
    title = f"{rule}: {', '.join(bounds) or 'any value'}"
    found = [value for value in values if rule in (value.name, f"{value.name}@{value.test}")]
    if not found:
        return Reason(title, Verdict.UNKNOWN, _why_missing(rule, values, missing))
    judged = [(value, _judge(value, low, high)) for value in found]
    verdict = next((v for v in (Verdict.FAIL, Verdict.UNKNOWN) if any(v is got for _, got in judged)), Verdict.PASS)
    shown = [value for value, got in judged if got is verdict]
    several = len(found) > 1
    return Reason(title, verdict, "; ".join(f"{value.test}: {value}" if several else str(value) for value in shown))


def _judge(measured: Measured, low: float | None, high: float | None) -> Verdict:
    value = measured.value
    if value is None or math.isnan(value):
        return Verdict.UNKNOWN
    holds = (low is None or value >= low) and (high is None or value <= high)
    return Verdict.PASS if holds else Verdict.FAIL


def _why_missing(rule: str, values: Sequence[Measured], missing: Collection[str]) -> str:
    for suite in missing:
        if rule.startswith(f"{suite}."):
            return f"{suite} has not been run"
    names = sorted(
        {name for value in values for name in (value.name, f"{value.name}@{value.test}" if value.test else value.name)}
    )
    close = difflib.get_close_matches(rule, names, n=1)
    if close:
        return f"no metric of this name; did you mean {close[0]}?"
    return "no metric of this name; on record: " + (", ".join(names) or "none")
