"""Items of a suite that is too large for its model's page: a file for every ``EACH`` of them, or for fewer where their texts
are long, what went wrong first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.record.model import Run
from pipeline.report.items import SHOWN, TEXT_SHOWN, Shown, groups, judged

EACH = 500
TEXT = 1_500_000  # characters on a page; a browser opens that many at once


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
    every: tuple[str, ...]
    back: str
    generated: datetime
    version: str


def large(run: Run) -> bool:
    """Tell whether a run's items get pages of their own: where the model's page would not show all of them, or become heavy."""
    found = run.result.evaluation
    if found is None or not judged(found):
        return False
    texts = (value for item in found.items for value in item.detail.values() if isinstance(value, str))
    return len(found.items) > SHOWN or sum(min(len(text), TEXT_SHOWN) for text in texts) > TEXT


def file_of(run: Run, number: int) -> str:
    """Return the name of a page of a run's items."""
    return f"{run.key.subject}-{number}.html"


def paged(run: Run, back: str, generated: datetime, version: str) -> Iterator[ItemsPage]:
    """Yield the pages of a run's items, one after the other."""
    assert run.result.evaluation is not None
    count = len(run.result.evaluation.items)
    found = groups(run.result.evaluation, count)
    parts = list(_parts([(group.title, item) for group in found for page in group.pages for item in page.items]))
    files, first = tuple(file_of(run, number) for number in range(1, len(parts) + 1)), 1
    for at, part in enumerate(parts):
        grouped: dict[str, list[Shown]] = {}
        for title, item in part:
            grouped.setdefault(title, []).append(item)
        yield ItemsPage(
            *(run.model, run.key.subject, run.id, files[at], at + 1, len(parts)),
            first=first,
            last=first + len(part) - 1,
            count=count,
            groups=tuple((title, tuple(items)) for title, items in grouped.items()),
            before=files[at - 1] if at else "",
            after=files[at + 1] if at + 1 < len(files) else "",
            every=files,
            back=back,
            generated=generated,
            version=version,
        )
        first += len(part)


def _parts(every: Sequence[tuple[str, Shown]]) -> Iterator[list[tuple[str, Shown]]]:
    """Yield what stands on one page after the other."""
    part: list[tuple[str, Shown]] = []
    left = TEXT
    for one in every:
        size = sum(len(text) for _, text in one[1].texts)
        if len(part) == EACH or (part and size > left):
            yield part
            part, left = [], TEXT
        part.append(one)
        left -= size
    yield part
