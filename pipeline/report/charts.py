"""Charts as inline SVG: bars with every sample as a dot, and estimates with their interval, beside the gate's bounds.

Drawn with svgwrite. Other libraries were weighed and left: matplotlib, plotnine, altair and toyplot bring 90 to 350
MB; pygal writes its own style sheet, random ids and the date into each 17 KB chart; leather has no dots on a category
axis; drawsvg and svg.py leave attributes or text unescaped. svgwrite is 0.5 MB of Python without dependencies, builds
an XML tree (all text and attributes escaped, checked by a test with hostile labels), and is deterministic. Positions
across are percentages, so a chart fits a phone and a page at the same text size; every colour comes from the report's
style sheet through classes, so charts follow light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.report.text import visible

if TYPE_CHECKING:
    import svgwrite

ROW = 46
HEAD = 8
FOOT = 24
_LEFT, _RIGHT = 0.5, 97.0  # the plot's edges, in per cent of the width


@dataclass(frozen=True)
class Bar:
    """One row: its name, the value (None draws nothing), the text that says it, and samples or an interval around
    it."""

    name: str
    value: float | None
    shown: str
    samples: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None


def draw(title: str, bars: Sequence[Bar], *, bounds: Sequence[tuple[str, float]] = (), top: float | None = None) -> str:
    """Return an ``svg`` element. ``bounds`` are the gate's, with their names; ``top`` fixes the axis's end (1 for a
    share)."""
    import svgwrite  # slow to import, and needed only where something is drawn

    height = HEAD + ROW * len(bars) + FOOT
    drawing = svgwrite.Drawing(size=("100%", height), class_="chart", debug=False)
    drawing["role"] = "img"
    drawing["aria-label"] = f"{title}: " + "; ".join(f"{bar.name} {bar.shown}" for bar in bars)
    drawing.set_desc(title=title)
    numbers = [0.0, *_numbers(bars, bounds)]  # a difference may be below 0
    ticks = round_numbers(top or max(numbers), min(numbers))
    base = HEAD + ROW * len(bars)
    for tick in ticks:
        x = _x(tick, ticks)
        drawing.add(drawing.line((x, HEAD), (x, base), class_="grid"))
        anchor = "start" if tick == ticks[0] else "end" if tick == ticks[-1] else "middle"
        drawing.add(drawing.text(f"{tick:,g}", (x, base + 16), class_=f"tick {anchor}"))
    for index, bar in enumerate(bars):
        _draw_bar(drawing, bar, HEAD + ROW * index, ticks)
    for name, bound in bounds:
        x = _x(bound, ticks)
        drawing.add(drawing.line((x, HEAD - 6), (x, base), class_=f"bound {name}"))
    for index, bar in enumerate(bars):
        y = HEAD + ROW * index + 14
        drawing.add(drawing.text(bar.name, (f"{_LEFT}%", y), class_="name"))
        drawing.add(drawing.text(bar.shown, (f"{_RIGHT}%", y), class_="value end"))
    text: str = drawing.tostring()
    return visible(text)


def _draw_bar(drawing: svgwrite.Drawing, bar: Bar, y: float, axis: Sequence[float]) -> None:
    if bar.value is None or not math.isfinite(bar.value):
        return
    middle = y + 28
    left, right = _x(min(bar.value, 0), axis), _x(max(bar.value, 0), axis)
    width = float(right[:-1]) - float(left[:-1])
    drawing.add(drawing.rect((left, middle - 6), (f"{width:.2f}%", 12), class_="bar"))
    if bar.low is not None and bar.high is not None and math.isfinite(bar.low) and math.isfinite(bar.high):
        low, high = _x(bar.low, axis), _x(bar.high, axis)
        drawing.add(drawing.line((low, middle), (high, middle), class_="interval"))
        for x in (low, high):
            drawing.add(drawing.line((x, middle - 5), (x, middle + 5), class_="interval"))
        drawing.add(drawing.circle((_x(bar.value, axis), middle), 4, class_="estimate"))
    for sample in bar.samples:
        if math.isfinite(sample):
            drawing.add(drawing.circle((_x(sample, axis), middle), 2.5, class_="sample"))


def _numbers(bars: Sequence[Bar], bounds: Sequence[tuple[str, float]]) -> Iterator[float]:
    for bar in bars:
        yield from (n for n in (bar.value, bar.low, bar.high, *bar.samples) if n is not None and math.isfinite(n))
    yield from (bound for _, bound in bounds if math.isfinite(bound))


def round_numbers(largest: float, smallest: float = 0.0) -> list[float]:
    """Return three to seven round numbers, 0 among them, that enclose both; where both are 0, from 0 to 1."""
    span = max(largest, 0.0) - min(smallest, 0.0)
    rough = max(span, 1e-300) / 4 if span else 0.25
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999999)
    last = math.ceil(max(largest, 0.0) / step - 1e-9) if span else 4
    first = math.floor(min(smallest, 0.0) / step + 1e-9)
    return [round(step * index, 12) if step > 1e-9 else step * index for index in range(first, last + 1)]


def _x(value: float, axis: Sequence[float]) -> str:
    first, last = axis[0], axis[-1]
    share = min(max((value - first) / (last - first), 0.0), 1.0)
    return f"{_LEFT + share * (_RIGHT - _LEFT):.2f}%"
