"""How figures move with another quantity: with streams, with depth of context, against the machine's limits, over time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pipeline.bench.model import BenchRow
from pipeline.report.curves import Axis, Curve, Point, draw_curves
from pipeline.report.figures import Figure
from pipeline.report.model import Trend
from pipeline.report.text import number, quantity

_STREAMS = re.compile(r"streams=([0-9]{1,6})")
_TEST = re.compile(r"((pp|tg)([0-9]{1,9}))(?:\+d([0-9]{1,9}))?")
MICRO_BATCH = 512


def of_streams(rows: Sequence[BenchRow]) -> Iterator[Figure]:
    """Return a curve for each metric of the service that was measured at several numbers of streams."""
    found: dict[tuple[str, str], list[tuple[int, BenchRow]]] = {}
    for row in rows:
        if (match := _STREAMS.fullmatch(row.test)) and row.value is not None and row.metric != "failed_requests":
            found.setdefault((row.metric, row.unit), []).append((int(match[1]), row))
    for (metric, unit), points in found.items():
        counts = tuple(sorted({float(count) for count, _ in points}))
        if len(counts) > 1:
            axis = Axis("streams at a time", log=True, ticks=counts, names=tuple(f"{count:g}" for count in counts))
            curve = Curve("", tuple(_point(count, row) for count, row in sorted(points, key=lambda one: one[0])))
            title = f"{metric} as users become more"
            yield Figure(title, "each point: the median", draw_curves(title, [curve], axis, Axis(unit)))


def of_depth(rows: Sequence[BenchRow]) -> Iterator[Figure]:
    """Return the curves of prefill and decode speed behind several depths of context."""
    found: dict[str, dict[str, list[tuple[int, BenchRow]]]] = {}
    for row in rows:
        match = _TEST.fullmatch(row.test)
        if match and row.layer == "engine" and row.metric in ("prefill_tok_s", "decode_tok_s"):
            found.setdefault(row.metric, {}).setdefault(match[1], []).append((int(match[4] or 0), row))
    for metric, series in found.items():
        curves = [
            Curve(test, tuple(_point(depth, row) for depth, row in sorted(points, key=lambda one: one[0]) if row.value))
            for test, points in series.items()
        ]
        depths = tuple(sorted({point.x for curve in curves for point in curve.points}))
        if len(depths) > 1:
            title = f"{metric} as the context fills"
            names = tuple(f"{depth:,g}" for depth in depths)
            axis = Axis("tokens of context before", ticks=depths, names=names)
            caption = "each point: the median; line through it: its 95 % interval"
            yield Figure(title, caption, draw_curves(title, curves, axis, Axis("tok/s")))


def roofline(models: Mapping[str, Sequence[BenchRow]], micro_batch: int = MICRO_BATCH) -> Iterator[Figure]:
    """Return the roofline of a machine with decode and prefill of models below it; nothing where its limits are not known.

    (Williams, Waterman, Patterson 2009.) Intensity is operations for each byte that is read: of decoding, those of a token
    over its bytes; of prefill, where a batch shares the reading of the weights, as many times more as it has tokens.
    """
    rows = [row for each in models.values() for row in each]
    most = {row.metric: row.value for row in rows if row.layer == "machine" and row.value}
    bandwidth, arithmetic = most.get("memory_bandwidth"), most.get("arithmetic")
    if not bandwidth or not arithmetic:
        return
    points = [point for name, each in models.items() for point in _loads(name, each, micro_batch)]
    if not points:
        return
    ridge = arithmetic / bandwidth
    left, right = min(min(point.x for point in points) / 2, ridge / 8), max(*(point.x for point in points), ridge) * 4
    roof = Curve(
        "",
        tuple(Point(x, min(bandwidth * x, arithmetic), "the machine's limit") for x in (left, ridge, right)),
        dots=False,
    )
    title = "Roofline"
    caption = (
        f"line: this machine's limits, {bandwidth / 1e9:,.4g} GB/s and {arithmetic / 1e9:,.4g} Gop/s; "
        "dots: decode (left) and prefill (right)"
    )
    axes = Axis("operations for each byte read", log=True), Axis("operations/s", log=True)
    yield Figure(title, caption, draw_curves(title, [roof, Curve("", tuple(points), joined=False)], *axes))


def trends(found: Sequence[Trend]) -> Iterator[Figure]:
    """Return a curve over runs for each metric that was measured more than once, with the places where its level changed."""
    for trend in found:
        if len(trend.values) < 2:
            continue
        points = [
            Point(float(i), one.value, f"{one.when} {quantity(one.value, trend.unit)}", "", one.low, one.high)
            for i, one in enumerate(trend.values)
        ]
        marks = [(index - 0.5, trend.values[index].when[:10]) for index in trend.changes]
        shown = sorted({0, len(points) - 1})
        axis = Axis("runs, the newest on the right", ticks=tuple(float(i) for i in shown))
        axis = Axis(axis.title, ticks=axis.ticks, names=tuple(trend.values[i].when[:10] for i in shown))
        said = f"{len(points)} runs; dashed: its level changed" if marks else f"{len(points)} runs, no change of level"
        drawn = draw_curves(trend.name, [Curve("", tuple(points))], axis, Axis(trend.unit), marks=marks)
        yield Figure(trend.name, said, drawn)


def _point(x: float, row: BenchRow) -> Point:
    assert row.value is not None
    return Point(x, row.value, f"at {number(x)}: {quantity(row.value, row.unit)}", "", row.low, row.high)


def _loads(name: str, rows: Sequence[BenchRow], micro_batch: int) -> Iterator[Point]:
    """Yield decode and prefill of a model as points of a roofline: intensity and operations a second."""
    speeds = {
        row.test: row.value for row in rows if row.layer == "engine" and row.value and row.metric != "energy_per_token"
    }
    each = {(row.metric, row.test): row.detail.get("each_token") for row in rows if row.layer == "machine"}
    operations = next((n for (metric, _), n in each.items() if metric == "prefill_arithmetic_share" and n), None)
    read = next((n for (metric, _), n in each.items() if metric == "decode_bandwidth_share" and n), None)
    if not isinstance(operations, (int, float)) or not isinstance(read, (int, float)):
        return
    for (metric, test), bytes_read in each.items():
        match, speed = _TEST.fullmatch(test), speeds.get(test)
        if not match or not speed:
            continue
        if metric == "decode_bandwidth_share" and isinstance(bytes_read, (int, float)):
            label = name if not match[4] else ""
            yield Point(operations / bytes_read, operations * speed, f"{test}: {number(speed)} tok/s", label)
        elif metric == "prefill_arithmetic_share" and not match[4]:
            shared = min(int(match[3]), micro_batch)
            yield Point(operations * shared / read, operations * speed, f"{name} {test}: {number(speed)} tok/s")
