"""CSV for spreadsheets: a row for each item, with the digests it belongs to; `detail` is JSON text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.canonical import plain
from pipeline.core.files import atomic_write
from pipeline.report.logs._base import Logged, columns, rows
from pipeline.report.text import spreadsheet

SUFFIX = "csv"
_ITEM = ("item", "score", "verdict", "prompt", "answer", "unstable", "detail")


def write(logs: Sequence[Logged], path: Path) -> None:
    """Write the columns of Parquet as UTF-8. Text that a spreadsheet would take for a formula begins with an apostrophe."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for number, logged in enumerate(logs):
        shared = columns(logged) | {"started": logged.run.started.isoformat()}
        if number == 0:
            writer.writerow([*shared, *_ITEM])
        for row in rows(logged.run):
            detail = json.dumps(plain(row.detail), allow_nan=False)
            item = (row.item, row.score, row.verdict, row.prompt, row.answer, row.detail.get("unstable"), detail)
            writer.writerow([spreadsheet(value) for value in (*shared.values(), *item)])
    atomic_write(path, file.getvalue())
