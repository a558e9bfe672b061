"""A badge for a README, as SVG: the model's name, and accepted, rejected, unknown or not judged."""

from __future__ import annotations

from pipeline.report.model import Report
from pipeline.report.text import visible

SUFFIX = "svg"
WRITTEN = False
_COLOURS = {"accepted": "#1c6640", "rejected": "#9a1f26", "unknown": "#7a4d00", "not judged": "#5c5952"}
_HEIGHT, _LETTER, _PAD = 20, 7, 8
_LONGEST = 60


def render(report: Report) -> str:
    """Return an ``svg`` document that loads nothing. A name longer than 60 letters is cut."""
    import svgwrite  # slow to import

    name = visible(f"assay: {report.name}")
    name = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    word = "not judged" if report.decision is None else report.decision.word
    left, right = (len(text) * _LETTER + 2 * _PAD for text in (name, word))
    drawing = svgwrite.Drawing(size=(left + right, _HEIGHT), debug=False)
    drawing["role"] = "img"
    drawing["aria-label"] = f"{name} {word}"
    drawing.set_desc(title=f"{name} {word}")
    drawing.add(drawing.rect((0, 0), (left + right, _HEIGHT), rx=3, fill="#3a3835"))
    drawing.add(drawing.rect((left - 3, 0), (right + 3, _HEIGHT), rx=3, fill=_COLOURS[word]))
    drawing.add(drawing.rect((left - 3, 0), (6, _HEIGHT), fill=_COLOURS[word]))
    texts = drawing.g(fill="#ffffff", font_family="Verdana,DejaVu Sans,sans-serif", font_size=11)
    for text, start, width in ((name, 0, left), (word, left, right)):
        # The same width whatever font the reader has.
        length = {"textLength": width - 2 * _PAD, "lengthAdjust": "spacingAndGlyphs"}
        texts.add(drawing.text(text, (start + _PAD, 14), **length))
    drawing.add(texts)
    return f"{drawing.tostring()}\n"
