"""``assay query``: SQL over the record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any

import click

from pipeline.cli.command import App, command


@command
@click.argument("sql")
def query(app: App, sql: str) -> int:
    """Ask the record in SQL, read-only.

    \b
    assay query "SELECT model, stage, subject, seconds FROM runs ORDER BY started"
    assay query "SHOW TABLES"
    """
    from pipeline.record.read import rows

    columns, found = rows(app.session(offline=True).project.database, sql)
    values = [[_plain(value) for value in row] for row in found]
    content = [dict(zip(columns, row, strict=True)) for row in values]
    app.answer("query", {"rows": content}, _table(columns, values) if values else "no rows")
    return 0


def _plain(value: Any) -> Any:
    """Return a value of DuckDB as JSON has it: a number that is none as null, times as ISO 8601, bytes in hexadecimal, else words."""
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, bool | int) else str(value)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Lay out rows below the names of their columns, numbers to the right."""
    cells = [list(map(_cell, row)) for row in rows]
    lines = []
    for at, name in enumerate(columns):
        width = max(len(name), *(len(row[at]) for row in cells))
        left = any(isinstance(row[at], str | list | dict) for row in rows)
        lines.append([one.ljust(width) if left else one.rjust(width) for one in (name, *(row[at] for row in cells))])
    return "\n".join("  ".join(line).rstrip() for line in zip(*lines, strict=True))


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    return f"{value:.6g}" if isinstance(value, float) else str(value).replace("\n", "\\n")
