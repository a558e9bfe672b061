"""The catalog in one picture: quality against speed against size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.report.curves import Axis, Curve, Point, draw_curves
from pipeline.report.figures import Figure
from pipeline.report.site.model import Entry
from pipeline.report.text import number, quantity, size

PICTURES = 2
NAMED = 30  # with more models than this, names would cover each other


def scatter(entries: Sequence[Entry]) -> Iterator[Figure]:
    """Return a chart for each of the scores that most models have: speed across, the score upward, size as area. A model
    without a speed or a size is not in it, and the caption says so; where none has a speed, size is across.
    """
    named = Counter(name for entry in entries for name in entry.scores)
    for name, _ in named.most_common(PICTURES):
        having = [entry for entry in entries if name in entry.scores and entry.size]
        fast = [entry for entry in having if (row := entry.row("decode_tok_s", "tg")) and row.value is not None]
        shown = fast or having
        if not shown:
            continue
        points = tuple(_point(entry, name, shown, by_speed=bool(fast)) for entry in shown)
        out = sum(name in entry.scores for entry in entries) - len(shown)
        aside = f"; {out} without a speed {'is' if out == 1 else 'are'} not shown" if out and fast else ""
        lead = "area: size of the files; " if fast else "no model has a speed; "
        title = f"{name} against decode speed and size" if fast else f"{name} against size"
        across = Axis("tok/s") if fast else Axis("MiB")
        upward = Axis(shown[0].scores[name].unit or name)
        drawn = draw_curves(title, [Curve("", points, joined=False)], across, upward)
        yield Figure(title, f"{lead}line: 95 % interval; grey: not accepted{aside}", drawn)


def _point(entry: Entry, name: str, shown: Sequence[Entry], *, by_speed: bool) -> Point:
    row, metric, mine = entry.row("decode_tok_s", "tg"), entry.scores[name], entry.size or 0
    speed = row.value if row and row.value is not None else None
    said = f"{number(metric.value)} at {quantity(speed, 'tok/s')}, {size(mine)}, {entry.state}"
    weight = mine / max(one.size or 1 for one in shown) if by_speed else None
    label = entry.name if len(shown) <= NAMED else ""
    across = speed if by_speed and speed is not None else mine / 2**20
    words = said if label else f"{entry.name} {said}"
    return Point(across, metric.value, words, label, metric.low, metric.high, weight, entry.state != "accepted")
