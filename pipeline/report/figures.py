"""Which charts a report shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.bench.model import BenchRow
from pipeline.evals.model import EvalResult, Metric
from pipeline.report.charts import Bar, draw
from pipeline.report.model import Bounds
from pipeline.report.text import number, quantity


@dataclass(frozen=True)
class Figure:
    """One chart with its caption."""

    title: str
    caption: str
    svg: str


def of_bench(rows: Sequence[BenchRow], bounds: Mapping[str, Bounds]) -> Iterator[Figure]:
    """Return a chart for each metric that has several settings or several samples; what is said of the machine itself has
    none."""
    metrics = dict.fromkeys(row.metric for row in rows if row.layer != "machine")
    for metric in metrics:
        these = [row for row in rows if row.metric == metric and row.layer != "machine"]
        if all(row.value is None for row in these):
            continue
        if len(these) < 2 and all(len(row.samples) < 2 for row in these):
            continue
        bars = [
            Bar(row.test, row.value, quantity(row.value, row.unit), row.samples if len(row.samples) > 1 else ())
            for row in these
        ]
        asked = {name: bound for name, bound in bounds.items() if name.partition("@")[0] == f"bench.{metric}"}
        samples = (
            "bar: median; dots: each repetition" if any(bar.samples for bar in bars) else "bar: the value measured"
        )
        title = f"{metric}, {these[0].unit}" if these[0].unit else metric
        yield Figure(title, _caption(samples, asked), draw(title, bars, bounds=_lines(asked)))


def of_eval(result: EvalResult, suite: str, bounds: Mapping[str, Bounds]) -> Iterator[Figure]:
    """Return a chart for each metric that has an interval; the parts of a metric (``acc@sums``) stand in its chart."""
    families: dict[tuple[str, str], list[Metric]] = {}
    for metric in result.metrics:
        if metric.low is not None and metric.high is not None:
            families.setdefault((metric.name.partition("@")[0], metric.unit), []).append(metric)
    for (family, unit), metrics in families.items():
        names = {f"{suite}.{metric.name}" for metric in metrics}
        asked = {name: bound for name, bound in bounds.items() if name in names}
        bars = [Bar(m.name, m.value, quantity(m.value, m.unit), (), m.low, m.high) for m in metrics]
        top = 1.0 if all(_is_share(metric) for metric in metrics) else None
        title = f"{family}, {unit}" if unit else family
        caption = _caption("dot: estimate; whiskers: 95 % interval", asked)
        yield Figure(title, caption, draw(title, bars, bounds=_lines(asked), top=top))


def _is_share(metric: Metric) -> bool:
    return metric.unit in ("", "share") and 0 <= metric.value <= 1 and (metric.high or 0) <= 1


def _lines(bounds: Mapping[str, Bounds]) -> list[tuple[str, float]]:
    return [
        (side, value) for b in bounds.values() for side, value in (("min", b.min), ("max", b.max)) if value is not None
    ]


def _caption(what: str, bounds: Mapping[str, Bounds]) -> str:
    said = [f"{side} {number(value)}" for side, value in _lines(bounds)]
    return f"{what}; dashed: the gate's {', '.join(said)}" if said else what
