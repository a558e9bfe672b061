"""Curves and points as inline SVG, by the same means as ``charts``: how a quantity moves with another, with its interval.

Positions across are percentages, as there; so a curve is drawn as lines from point to point.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from pipeline.report.charts import round_numbers
from pipeline.report.text import visible

if TYPE_CHECKING:
    import svgwrite

PLOT = 200
_TOP, _FOOT = 34, 44
_LEFT, _RIGHT = 13.0, 96.0  # the plot's edges, in per cent of the width
_LARGEST, _SMALLEST = 26.0, 5.0  # radius of a point, in pixels


@dataclass(frozen=True)
class Point:
    """One point. ``label`` stands beside it; ``weight`` (0 to 1) is its area, None a small dot; ``shown`` says it in
    words. ``faded``: it counts less than the others.
    """

    x: float
    y: float
    shown: str
    label: str = ""
    low: float | None = None
    high: float | None = None
    weight: float | None = None
    faded: bool = False


@dataclass(frozen=True)
class Curve:
    """Points in order. ``joined``: with lines between them; ``dots``: each point is drawn."""

    name: str
    points: tuple[Point, ...]
    joined: bool = True
    dots: bool = True


@dataclass(frozen=True)
class Axis:
    """What an axis says. ``log``: each step is a factor. ``ticks`` are told, or found; ``names`` stand for them."""

    title: str
    log: bool = False
    ticks: tuple[float, ...] = ()
    names: tuple[str, ...] = ()


def draw_curves(
    title: str, curves: Sequence[Curve], x: Axis, y: Axis, *, marks: Sequence[tuple[float, str]] = ()
) -> str:
    """Return an ``svg`` element; ``marks`` are upright lines with a name. Points that are no finite numbers, or not above 0
    on a logarithmic axis, are left out.
    """
    import svgwrite  # slow to import, and needed only where something is drawn

    kept = [replace(one, points=tuple(p for p in one.points if _fits(p, x, y))) for one in curves]
    points = [point for curve in kept for point in curve.points]
    across = _Scale.of([point.x for point in points] + [mark for mark, _ in marks], x, zero=False)
    upward = _Scale.of([n for p in points for n in (p.y, p.low, p.high) if n is not None], y, zero=True)
    drawing = svgwrite.Drawing(size=("100%", _TOP + PLOT + _FOOT), class_="chart curves", debug=False)
    drawing["role"] = "img"
    told = "; ".join(f"{point.label} {point.shown}".strip() for point in points)
    drawing["aria-label"] = f"{title}: {told or 'nothing to show'}"
    drawing.set_desc(title=title)
    _axes(drawing, across, upward, x, y)
    for mark, name in marks:
        at = across.percent(mark)
        drawing.add(drawing.line((at, _TOP - 8), (at, _TOP + PLOT), class_="bound"))
        drawing.add(drawing.text(name, (at, _TOP - 12), class_=f"tick {_anchor(at)}"))
    for number, curve in enumerate(kept):
        _draw(drawing, curve, number % 4, across, upward)
    text: str = drawing.tostring()
    return visible(text)


@dataclass(frozen=True)
class _Scale:
    first: float
    last: float
    ticks: tuple[float, ...]
    log: bool

    @classmethod
    def of(cls, values: Sequence[float], axis: Axis, *, zero: bool) -> _Scale:
        numbers = [n for n in (*values, *axis.ticks) if math.isfinite(n) and (n > 0 or not axis.log)]
        low, high = min(numbers, default=0.0 if not axis.log else 1.0), max(numbers, default=1.0)
        if axis.log:
            first, last = low / 1.25, high * 1.25
            powers = range(math.floor(math.log10(first)), math.ceil(math.log10(last)) + 1)
            found = axis.ticks or tuple(10.0**power for power in powers if first <= 10.0**power <= last)
            return cls(first, last, found, True)
        if axis.ticks:
            room = (high - low or 1) * 0.03
            return cls(low - room, high + room, axis.ticks, False)
        if not zero and low > 0 and high > low:
            room = (high - low) * 0.08
            return cls(low - room, high + room, tuple(_between(low, high)), False)
        ticks = tuple(round_numbers(high, low))
        return cls(ticks[0], ticks[-1], ticks, False)

    def share(self, value: float) -> float:
        if self.log:
            return (math.log(value) - math.log(self.first)) / (math.log(self.last) - math.log(self.first))
        return (value - self.first) / (self.last - self.first) if self.last > self.first else 0.5

    def percent(self, value: float) -> str:
        return f"{_LEFT + min(max(self.share(value), 0.0), 1.0) * (_RIGHT - _LEFT):.2f}%"

    def up(self, value: float) -> float:
        return round(_TOP + PLOT * (1 - min(max(self.share(value), 0.0), 1.0)), 2)


def _between(low: float, high: float) -> Iterator[float]:
    step = round_numbers(high - low)[1]
    tick = math.ceil(low / step - 1e-9) * step
    while tick <= high * (1 + 1e-9):
        yield round(tick, 12)
        tick += step


def _fits(point: Point, x: Axis, y: Axis) -> bool:
    finite = math.isfinite(point.x) and math.isfinite(point.y)
    return finite and (point.x > 0 or not x.log) and (point.y > 0 or not y.log)


def _axes(drawing: svgwrite.Drawing, across: _Scale, upward: _Scale, x: Axis, y: Axis) -> None:
    base = _TOP + PLOT
    for tick in upward.ticks:
        height = upward.up(tick)
        drawing.add(drawing.line((f"{_LEFT}%", height), (f"{_RIGHT}%", height), class_="grid"))
        drawing.add(drawing.text(_short(tick), (f"{_LEFT - 1.5}%", height + 4), class_="tick end"))
    names = x.names or tuple(map(_short, across.ticks))
    for tick, name in zip(across.ticks, names, strict=True):
        at = across.percent(tick)
        drawing.add(drawing.line((at, base), (at, base + 4), class_="grid"))
        drawing.add(drawing.text(name, (at, base + 17), class_=f"tick {_anchor(at)}"))
    drawing.add(drawing.text(y.title, ("0%", 12), class_="tick"))
    drawing.add(drawing.text(x.title, (f"{_RIGHT}%", base + 36), class_="tick end"))


def _draw(drawing: svgwrite.Drawing, curve: Curve, style: int, across: _Scale, upward: _Scale) -> None:
    places = [(across.percent(point.x), upward.up(point.y)) for point in curve.points]
    if curve.joined:
        for one, other in pairwise(places):
            drawing.add(drawing.line(one, other, class_=f"curve s{style}"))
    for point, (x, y) in zip(curve.points, places, strict=True) if curve.dots else ():
        if _known(point.low, upward) and _known(point.high, upward):
            low, high = upward.up(point.low or 0), upward.up(point.high or 0)
            drawing.add(drawing.line((x, low), (x, high), class_="interval"))
        radius = _radius(point)
        kind = "bubble" if point.weight is not None else "estimate"
        dot = drawing.circle((x, y), radius, class_=f"{kind} s{style}{' faded' if point.faded else ''}")
        dot.set_desc(title=f"{point.label} {point.shown}".strip())
        drawing.add(dot)
    for point, (x, y) in zip(curve.points, places, strict=True):
        if point.label:
            drawing.add(drawing.text(point.label, (x, max(y - _radius(point) - 5, 12)), class_=f"name {_anchor(x)}"))
    if curve.joined and curve.name and places:
        x, y = places[-1]
        drawing.add(drawing.text(curve.name, (x, max(y - 10, 12)), class_="name end"))


def _radius(point: Point) -> float:
    if point.weight is None:
        return 4.0
    return max(_SMALLEST, _LARGEST * math.sqrt(min(max(point.weight, 0.0), 1.0)))


def _known(value: float | None, scale: _Scale) -> bool:
    return value is not None and math.isfinite(value) and (value > 0 or not scale.log)


def _anchor(at: str) -> str:
    share = float(at[:-1])
    return "start" if share < 25 else "end" if share > 75 else "middle"


def _short(value: float) -> str:
    """Return a number for an axis: 2,048; 1.5 G; 0.25."""
    for factor, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= factor:
            return f"{value / factor:g} {letter}"
    return f"{value:,g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.0e}"
