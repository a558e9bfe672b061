"""Items of a suite that is too large for its model's page: a file for every ``EACH`` of them, what went wrong first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pipeline.record.model import Run
from pipeline.report.items import SHOWN, Shown, groups, judged

EACH = 500


@dataclass(frozen=True)
class ItemsPage:
    """One file of items; ``before`` and ``after`` are its neighbours, ``back`` the model's page."""

    model: str
    suite: str
    run: str
    file: str
    number: int
    pages: int
    first: int
    last: int
    count: int
    groups: tuple[tuple[str, tuple[Shown, ...]], ...]
    before: str
    after: str
    back: str
    generated: datetime
    version: str


def large(run: Run) -> bool:
    """Tell whether a run's items get pages of their own: where the model's page would not show all of them."""
    found = run.result.evaluation
    return found is not None and len(found.items) > SHOWN and judged(found)


def file_of(run: Run, number: int) -> str:
    """Return the name of a page of a run's items."""
    return f"{run.key.subject}-{number}.html"


def paged(run: Run, back: str, generated: datetime, version: str) -> Iterator[ItemsPage]:
    """Yield the pages of a run's items, one after the other."""
    assert run.result.evaluation is not None
    count = len(run.result.evaluation.items)
    found = groups(run.result.evaluation, count)
    every = [(group.title, item) for group in found for page in group.pages for item in page.items]
    pages = -(-count // EACH)
    for number in range(1, pages + 1):
        part = every[(number - 1) * EACH : number * EACH]
        grouped: dict[str, list[Shown]] = {}
        for title, item in part:
            grouped.setdefault(title, []).append(item)
        yield ItemsPage(
            *(run.model, run.key.subject, run.id, file_of(run, number), number, pages),
            first=(number - 1) * EACH + 1,
            last=(number - 1) * EACH + len(part),
            count=count,
            groups=tuple((title, tuple(items)) for title, items in grouped.items()),
            before=file_of(run, number - 1) if number > 1 else "",
            after=file_of(run, number + 1) if number < pages else "",
            back=back,
            generated=generated,
            version=version,
        )
