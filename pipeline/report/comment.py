"""One comment on a pull request for several models: a line for each, then their reports, as many as a comment may hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.checks.model import Verdict
from pipeline.report.formats.markdown import CHANGE, MARK, render, safe, table
from pipeline.report.model import Report

LIMIT = 65_536
"""Characters of a comment on GitHub; GitLab takes more."""
_ROOM = 1_000
_ORDER = ("rejected", "unknown", "accepted")


def comment(reports: Sequence[Report], missing: Sequence[tuple[str, str]] = ()) -> str:
    """Return Markdown, the worst first. What does not fit is named, since a part of a report would mislead. ``missing`` are models
    that can't be reported, each with the reason.
    """
    ordered = sorted(reports, key=lambda report: (_ORDER.index(_word(report)), report.name))
    head = ("", "Model", "State", "Against its baseline", "Why")
    without = ((MARK["unknown"], safe(name), "unknown", "—", safe(why)) for name, why in missing)
    text = "\n".join(["## Models", "", *table(head, [*without, *map(_row, ordered)])])
    left: list[str] = []
    for report in ordered:
        part = render(report)
        if len(text) + len(part) + _ROOM <= LIMIT:
            text += f"\n{part}"
        else:
            left.append(f"`{safe(report.name)}.md`")
    return text + "".join(_left(left))


def _left(names: Sequence[str]) -> Iterator[str]:
    if names:
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        yield f"\nNo room is left for {len(names)} of the reports; they are in `reports/`: {shown}\n"


def _word(report: Report) -> str:
    return report.decision.word if report.decision else "unknown"


def _row(report: Report) -> Sequence[str]:
    word, before = _word(report), report.baseline
    change = "—" if before is None else CHANGE[before.comparison.verdict]
    reasons = report.decision.reasons if report.decision else ()
    open_ = sorted((one for one in reasons if not one.holds), key=lambda one: one.verdict is not Verdict.FAIL)
    broken = [f"{one.rule}: {one.message}" for one in open_]
    more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
    return (MARK[word], safe(report.name), word, change, safe("".join(broken[:1]) + more))
