"""One HTML file for auditors: nothing loaded from anywhere, no script, light and dark, on screen and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from pipeline.bench.model import BenchRow
from pipeline.checks.model import Verdict
from pipeline.evals.model import Item
from pipeline.record.model import Decision, Run
from pipeline.record.rates import merged, tallies
from pipeline.report import figures, items
from pipeline.report.environment import pages
from pipeline.report.model import Bounds, Report
from pipeline.report.shapes import of_depth, of_streams, roofline, trends

SUFFIX = "html"
WRITTEN = True
ITEMS_SHOWN = 500
OPEN_CASES = 3
_COLUMNS = 8
_HEAD = 4096
_DECISION = re.compile('<meta name="assay-decision" content="([^"]*)">')


def render(report: Report) -> str:
    """Return a whole HTML document. Every value is escaped, and hidden characters are written out; a content security
    policy forbids scripts and loading in any case."""
    template = _environment().get_template("page.html.j2")
    return template.render(report=report, lock=report.lock, decision=report.decision)


@cache  # so that the templates are compiled once, not for every model
def _environment() -> Environment:
    environment = pages()
    environment.filters |= {
        "columns": _columns,
        "tally": _tally,
        "tallies": tallies,
        "merged": merged,
        "worst_first": _worst_first,
    }
    environment.globals |= {
        "of_bench": _of_bench,
        "of_eval": figures.of_eval,
        "roofline": roofline,
        "trends": trends,
        "summary": items.summary,
        "judged": items.judged,
        "groups": items.groups,
        "ITEMS_SHOWN": ITEMS_SHOWN,
        "OPEN_CASES": OPEN_CASES,
    }
    return environment


def shown_decision(page: Path) -> str:
    """Return the id of the decision that a page shows; "" where it shows none, or is none of ours."""
    with page.open("rb") as file:
        found = _DECISION.search(file.read(_HEAD).decode(errors="replace"))
    return found[1] if found else ""


def _of_bench(rows: Sequence[BenchRow], bounds: Mapping[str, Bounds]) -> Iterator[figures.Figure]:
    yield from (*of_streams(rows), *of_depth(rows), *figures.of_bench(rows, bounds))


def _columns(listed: tuple[Item, ...]) -> list[str]:
    """Return the keys that items have in their details, as many as fit: text first, then lists, then numbers."""
    ranks: dict[str, int] = {}
    for item in listed:
        for key, value in item.detail.items():
            ranks.setdefault(key, 0 if isinstance(value, str) else 1 if isinstance(value, (list, dict)) else 2)
    return sorted(ranks, key=lambda key: ranks[key])[:_COLUMNS]


def _tally(run: Run) -> str:
    outcomes = run.result.outcomes
    counts = {verdict: sum(outcome.verdict is verdict for outcome in outcomes) for verdict in Verdict}
    return ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count) or "no cases"


def _worst_first(decision: Decision) -> list[Any]:
    order = [Verdict.FAIL, Verdict.UNKNOWN, Verdict.SKIP, Verdict.PASS]
    return sorted(decision.reasons, key=lambda reason: order.index(reason.verdict))
