"""Which charts a report shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.bench.model import BenchRow
from pipeline.evals.model import EvalResult, Metric
from pipeline.report.charts import Bar, draw
from pipeline.report.model import Bounds
from pipeline.report.text import number, quantity, visible


@dataclass(frozen=True)
class Figure:
    """One chart with its caption."""

    title: str
    caption: str
    svg: str


def of_bench(rows: Sequence[BenchRow], bounds: Mapping[str, Bounds]) -> Iterator[Figure]:
    """Return a chart for each metric that has several settings or several samples."""
    metrics = dict.fromkeys(row.metric for row in rows)
    for metric in metrics:
        these = [row for row in rows if row.metric == metric]
        if len(these) < 2 and all(len(row.samples) < 2 for row in these):
            continue
        bars = [
            Bar(visible(row.test), row.value, quantity(row.value, row.unit), row.samples if len(row.samples) > 1 else ())
            for row in these
        ]
        asked = {name: bound for name, bound in bounds.items() if name.partition("@")[0] == f"bench.{metric}"}
        samples = "bar: median; dots: each repetition" if any(bar.samples for bar in bars) else "bar: the value measured"
        title = f"{metric}, {these[0].unit}" if these[0].unit else metric
        yield Figure(title, _caption(samples, asked), draw(title, bars, bounds=_lines(asked)))


def of_eval(result: EvalResult, suite: str, bounds: Mapping[str, Bounds]) -> Iterator[Figure]:
    """Return a chart for each metric that has an interval."""
    for metric in result.metrics:
        if metric.low is None or metric.high is None:
            continue
        asked = {name: bound for name, bound in bounds.items() if name == f"{suite}.{metric.name}"}
        bar = Bar(visible(metric.name), metric.value, quantity(metric.value, metric.unit), (), metric.low, metric.high)
        top = 1.0 if _is_share(metric) else None
        caption = _caption("dot: estimate; whiskers: 95 % interval", asked)
        yield Figure(metric.name, caption, draw(metric.name, [bar], bounds=_lines(asked), top=top))


def _is_share(metric: Metric) -> bool:
    return metric.unit == "" and 0 <= metric.value <= 1 and (metric.high or 0) <= 1


def _lines(bounds: Mapping[str, Bounds]) -> list[tuple[str, float]]:
    return [(side, value) for b in bounds.values() for side, value in (("min", b.min), ("max", b.max)) if value is not None]


def _caption(what: str, bounds: Mapping[str, Bounds]) -> str:
    said = [f"{side} {number(value)}" for side, value in _lines(bounds)]
    return f"{what}; dashed: the gate's {', '.join(said)}" if said else what
