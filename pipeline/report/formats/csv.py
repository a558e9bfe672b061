"""CSV for spreadsheets: a row for each number of evals, checks and benchmarks, with interval, run and digests."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from pipeline.record.model import Run
from pipeline.record.rates import tallies
from pipeline.report.model import Report
from pipeline.report.text import spreadsheet

SUFFIX = "csv"
WRITTEN = False
HEAD = (
    *("model", "accepted", "stage", "suite", "layer", "test", "metric", "value", "low", "high", "unit", "n", "reason"),
    *("run", "started", "lock", "engine", "hardware"),
)


def render(report: Report) -> str:
    """Return the table with its head. Text that a spreadsheet would take for a formula begins with an apostrophe."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEAD)
    decided = "" if report.decision is None else str(report.decision.accepted).lower()
    for run in report.runs:
        if report.counts(run):
            key = run.key
            end = (run.id, run.started.isoformat(), key.lock_digest, key.engine_digest, key.hardware_digest)
            begin = (report.name, decided, key.stage, key.subject)
            writer.writerows([spreadsheet(value) for value in (*begin, *row, *end)] for row in _rows(run))
    return file.getvalue()


def _rows(run: Run) -> Iterator[tuple[object, ...]]:
    """Yield layer, test, metric, value, low, high, unit, n and reason."""
    if run.result.evaluation:
        for metric in run.result.evaluation.metrics:
            yield ("", "", metric.name, metric.value, metric.low, metric.high, metric.unit, metric.n, "")
    for group in tallies(run.result.outcomes):
        low, high = group.interval if group.trials else (None, None)
        yield ("", group.group, "pass_rate", group.rate, low, high, "share", group.trials, "")
    for row in run.result.bench:
        yield (row.layer, row.test, row.metric, row.value, row.low, row.high, row.unit, len(row.samples), row.reason)
