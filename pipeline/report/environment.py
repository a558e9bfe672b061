"""What all HTML pages are made with: templates that escape everything, and how values are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.compare.say import least, obstructed
from pipeline.report.figures import Figure
from pipeline.report.text import duration, number, plain, pretty, quantity, signed, size, visible

TEXT_SHOWN = 20_000
CELL_SHOWN = 600
FOLDERS = ("formats", "site")


def pages() -> Environment:
    """Return a new environment: every value is escaped, and hidden characters are written out."""
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent / folder for folder in FOLDERS]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {
        "number": number,
        "signed": signed,
        "duration": duration,
        "size": size,
        "cell": _cell,
        "pretty": _short_pretty,
        "svg": _svg,
        "obstructed": obstructed,
        "least": least,
    }
    environment.globals |= {"quantity": quantity}
    return environment


def _finalize(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _svg(figure: Figure) -> Markup:
    # svgwrite has escaped every text and attribute in it.
    return Markup(figure.svg)


def _clip(text: str) -> str:
    return (
        text
        if len(text) <= TEXT_SHOWN
        else f"{text[:TEXT_SHOWN]}\n… {len(text) - TEXT_SHOWN:,} more characters are in the record"
    )


def _cell(value: Any) -> list[str]:
    """Return the lines of a table cell: one for each part of a list."""
    parts = value if isinstance(value, (list, tuple)) and not all(isinstance(part, int) for part in value) else [value]
    lines = [plain(part) for part in parts]
    return [line if len(line) <= CELL_SHOWN else f"{line[:CELL_SHOWN]}…" for line in lines]


def _short_pretty(value: Any) -> str:
    return _clip(pretty(value))
