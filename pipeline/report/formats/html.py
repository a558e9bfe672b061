"""One HTML file for auditors: nothing loaded from anywhere, no script, light and dark, on screen and on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.checks.model import Verdict
from pipeline.evals.model import Item
from pipeline.record.model import Decision, Run
from pipeline.record.rates import merged, tallies
from pipeline.report import figures, items
from pipeline.report.model import Report
from pipeline.report.text import duration, number, plain, pretty, quantity, size, visible

SUFFIX = "html"
ITEMS_SHOWN = 500
OPEN_CASES = 3
TEXT_SHOWN = 20_000
_COLUMNS = 8
CELL_SHOWN = 600


def render(report: Report) -> str:
    """Return a whole HTML document. Every value is escaped, and hidden characters are written out; a content security
    policy forbids
    scripts and loading in any case."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {
        "number": number,
        "duration": duration,
        "size": size,
        "cell": _cell,
        "pretty": _short_pretty,
        "svg": _svg,
        "columns": _columns,
        "tally": _tally,
        "tallies": tallies,
        "merged": merged,
        "worst_first": _worst_first,
    }
    environment.globals |= {
        "quantity": quantity,
        "of_bench": figures.of_bench,
        "of_eval": figures.of_eval,
        "summary": items.summary,
        "judged": items.judged,
        "groups": items.groups,
        "ITEMS_SHOWN": ITEMS_SHOWN,
        "OPEN_CASES": OPEN_CASES,
    }
    return environment.get_template("page.html.j2").render(report=report, lock=report.lock, decision=report.decision)


def _finalize(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _svg(figure: figures.Figure) -> Markup:
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
