"""The catalog in one picture: quality against speed against size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.report.curves import Axis, Curve, Point, draw_curves
from pipeline.report.figures import Figure
from pipeline.report.site.model import Entry
from pipeline.report.text import number, quantity, size

PICTURES = 2


def scatter(entries: Sequence[Entry]) -> Iterator[Figure]:
    """Return a chart for each of the scores that most models have: speed across, the score upward, size as area. A model
    without a speed or a size is not in it, and the caption says so.
    """
    named = Counter(name for entry in entries for name in entry.scores)
    for name, _ in named.most_common(PICTURES):
        points, largest = [], max((entry.size or 0 for entry in entries), default=0)
        having = [entry for entry in entries if name in entry.scores]
        for entry in having:
            row, metric = entry.row("decode_tok_s", "tg"), entry.scores[name]
            if row is None or row.value is None or not entry.size:
                continue
            shown = f"{number(metric.value)} at {quantity(row.value, row.unit)}, {size(entry.size)}, {entry.state}"
            weight, faded = entry.size / largest, entry.state != "accepted"
            points.append(Point(row.value, metric.value, shown, entry.name, metric.low, metric.high, weight, faded))
        if not points:
            continue
        out = len(having) - len(points)
        aside = f"; {out} without a speed {'is' if out == 1 else 'are'} not shown" if out else ""
        caption = f"area: size of the files; line: 95 % interval; grey: not accepted{aside}"
        title = f"{name} against decode speed and size"
        axis = Axis(having[0].scores[name].unit or name)
        yield Figure(title, caption, draw_curves(title, [Curve("", tuple(points), joined=False)], Axis("tok/s"), axis))
