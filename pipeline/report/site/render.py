"""Pages of the site as text: each self-contained, offline, complete without its script, which sorts tables."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from pipeline.bench.model import BenchRow
from pipeline.compare.model import Comparison
from pipeline.report.environment import pages
from pipeline.report.figures import Figure
from pipeline.report.shapes import roofline
from pipeline.report.site.items import ItemsPage
from pipeline.report.site.model import Catalog, Machine
from pipeline.report.site.picture import scatter

_STATES = ("accepted", "rejected", "unknown", "stale")
COLUMNS = 3


def catalog_page(catalog: Catalog) -> str:
    """Return the catalog: state, reasons, what to do, key numbers, and quality against speed against size."""
    counts = Counter(entry.state for entry in catalog.entries)
    named = Counter(name for entry in catalog.entries for name in entry.scores)
    columns = [name for name, _ in named.most_common(COLUMNS)]
    shown = {state: counts[state] for state in _STATES if counts[state]}
    return _render("index.html.j2", catalog, counts=shown, columns=columns, charts=list(scatter(catalog.entries)))


def machine_page(machine: Machine, name: str) -> str:
    """Return the page of a class of hardware."""
    limits: dict[tuple[str, str], BenchRow] = {}
    for one in sorted(machine.measured, key=lambda one: one.started, reverse=True):
        for row in one.rows:
            if row.layer == "machine" and row.metric in ("memory_bandwidth", "arithmetic"):
                known = limits.get((row.metric, row.test))
                if known is None or (known.value is None and row.value is not None):
                    limits[row.metric, row.test] = row
    charts: Iterator[Figure] = roofline({one.model: one.rows for one in machine.measured})
    return _render("machine.html.j2", machine, name=name, limits=list(limits.values()), charts=charts, first=_first)


def compare_page(comparison: Comparison, page: Any) -> str:
    """Return the page of a comparison; ``page`` says when and by which version it was made."""
    return _render("compare.html.j2", page, comparison=comparison)


def items_page(page: ItemsPage) -> str:
    """Return one page of the items of a suite."""
    return _render("items_page.html.j2", page)


def _render(template: str, page: Any, **values: Any) -> str:
    return _environment().get_template(template).render(page=page, **values)


@cache  # so that a template is compiled once, not for every page
def _environment() -> Environment:
    environment = pages()
    environment.globals |= _script()
    return environment


def _script() -> Mapping[str, Any]:
    text = (Path(__file__).parent / "sort.js").read_text()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {"script": Markup(text), "script_hash": f"sha256-{digest}"}


def _first(rows: Sequence[BenchRow], metric: str, begin: str) -> BenchRow | None:
    found = [row for row in rows if row.metric == metric and row.test.startswith(begin)]
    return next((row for row in found if row.value is not None), next(iter(found), None))
