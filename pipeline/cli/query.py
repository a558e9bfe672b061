"""``assay query``: SQL over the record."""

from __future__ import annotations

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
    from pipeline.cli.console import table
    from pipeline.core.canonical import plain
    from pipeline.record.read import rows

    names, found = rows(app.session(offline=True).project.database, sql)
    values = plain(found)
    columns = list(zip(*values, strict=True))
    numbers = [
        at for at, column in enumerate(columns) if all(one is None or isinstance(one, int | float) for one in column)
    ]
    text = (
        table(list(map(_cell, names)), [list(map(_cell, row)) for row in values], right=numbers)
        if values
        else "no rows"
    )
    app.answer("query", {"rows": [dict(zip(names, row, strict=True)) for row in values]}, text)
    return 0


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    return f"{value:.6g}" if isinstance(value, float) else str(value).replace("\n", "\\n")
