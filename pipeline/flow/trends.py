"""What a report shows beside the results of now: the accepted baseline, and how metrics moved over runs."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.compare.judge import compare
from pipeline.compare.model import Side
from pipeline.flow.session import Session
from pipeline.gate.policy import Baseline
from pipeline.lock.model import Lockfile
from pipeline.record.history import history
from pipeline.record.model import Run
from pipeline.report.model import Accepted, Trend, Value

_SPEEDS = ("decode_tok_s", "prefill_tok_s", "ttft_ms", "itl_ms")


def against_baseline(before: Baseline | None, lock: Lockfile, runs: tuple[Run, ...]) -> Accepted | None:
    """Compare the runs of now with the baseline; None where there is none."""
    if before is None:
        return None
    ours = tuple(run for run in runs if run.key.stage in ("check", "eval"))
    return Accepted(before.accepted, before.reason, compare(before.side, Side(lock.name, lock, ours)))


def trends_of(session: Session, lock: Lockfile, runs: tuple[Run, ...]) -> tuple[Trend, ...]:
    """Return the first metric of each eval, and the speeds, over the runs on this class of hardware: those with several
    values."""
    names = [
        f"{run.key.subject}.{run.result.evaluation.metrics[0].name}"
        for run in runs
        if run.result.evaluation and run.result.evaluation.metrics
    ]
    measured = {row.metric for run in runs for row in run.result.bench}
    names += [f"bench.{metric}" for metric in _SPEEDS if metric in measured]
    return tuple(trend for name in names for trend in trends(session, lock.name, name))


def trends(session: Session, model: str, metric: str) -> Iterator[Trend]:
    """Yield a metric over runs on this class of hardware, one trend for each test of it."""
    found = history(session.project.database, model, metric, str(session.hardware.digest))
    series = dict.fromkeys((one.layer, one.test) for one in found if one.value is not None)
    for layer, test in series:
        these = [one for one in found if (one.layer, one.test) == (layer, test) and one.value is not None]
        if len(these) < 2:
            continue
        values = tuple(
            Value(one.started.strftime("%Y-%m-%d %H:%M"), one.value, one.low, one.high)
            for one in these
            if one.value is not None
        )
        new = tuple(i for i in range(1, len(these)) if these[i].level != these[i - 1].level)
        yield Trend(metric.partition("@")[0] + (f"@{test}" if test else ""), these[0].unit, values, new)
