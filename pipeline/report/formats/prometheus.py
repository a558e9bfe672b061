"""Prometheus text for the node exporter's textfile collector: decision, scores and speeds as gauges, to draw and to alert on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from pipeline.record.rates import tallies
from pipeline.report.model import Report
from pipeline.report.text import visible

SUFFIX = "prom"
WRITTEN = False
Sample = tuple[dict[str, str], float | None]


def render(report: Report) -> str:
    """Return the text: names begin with ``assay_``, every sample says its model. What has no value has no sample."""
    return "\n".join([*_decided(report), *_results(report), ""])


def _decided(report: Report) -> Iterator[str]:
    model, decision = {"model": report.name}, report.decision
    digests = {"lock": str(report.lock.digest)}
    made = report.generated.timestamp()
    yield from _gauge("assay_report_timestamp_seconds", "When this was written.", [(model | digests, made)])
    if decision is None:
        return
    digests |= {"engine": decision.engine_digest, "hardware": decision.hardware_digest}
    yield from _gauge("assay_accepted", "Whether the gate accepts the model.", [(model | digests, decision.accepted)])
    decided = decision.decided.timestamp()
    yield from _gauge("assay_decided_timestamp_seconds", "When it was decided.", [(model, decided)])
    rules = [(model | {"rule": one.rule, "verdict": one.verdict.value}, one.holds) for one in decision.reasons]
    yield from _gauge("assay_rule_holds", "Whether a rule of the gate holds, or is excepted.", rules)


def _results(report: Report) -> Iterator[str]:
    model = {"model": report.name}
    metrics = [
        (model | {"suite": run.key.subject, "metric": metric.name, "unit": metric.unit}, metric)
        for run in report.of_stage("eval")
        if run.result.evaluation and report.counts(run)
        for metric in run.result.evaluation.metrics
    ]
    yield from _gauge("assay_metric", "A metric of an eval.", [(about, m.value) for about, m in metrics])
    yield from _gauge("assay_metric_low", "Lower end of its 95 % interval.", [(about, m.low) for about, m in metrics])
    yield from _gauge("assay_metric_high", "Upper end of its 95 % interval.", [(about, m.high) for about, m in metrics])
    outcomes = [one for run in report.of_stage("check") if report.counts(run) for one in run.result.outcomes]
    groups = [(model | {"group": one.group}, one) for one in tallies(outcomes)]
    yield from _gauge("assay_check_trials", "Trials of a group of checks.", [(a, one.trials) for a, one in groups])
    yield from _gauge("assay_check_passed", "Those that passed.", [(a, one.passed) for a, one in groups])
    rows = [row for run in report.of_stage("bench") if report.counts(run) for row in run.result.bench]
    speeds = [
        (model | {"layer": row.layer, "test": row.test, "metric": row.metric, "unit": row.unit}, row.value)
        for row in rows
    ]
    yield from _gauge("assay_bench", "The median of what a benchmark measured.", speeds)


def _gauge(name: str, said: str, samples: Iterable[Sample]) -> Iterator[str]:
    # The same labels twice would make the whole file unreadable: the first counts.
    unique: dict[str, float] = {}
    for labels, value in samples:
        if value is not None:
            unique.setdefault(",".join(f'{key}="{_label(text)}"' for key, text in labels.items()), float(value))
    if unique:
        yield from (f"# HELP {name} {said}", f"# TYPE {name} gauge")
        yield from (f"{name}{{{labels}}} {_number(value)}" for labels, value in unique.items())


def _label(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return repr(value) if math.isfinite(value) else "+Inf" if value > 0 else "-Inf"
