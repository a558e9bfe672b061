"""``assay query``: SQL over the record."""

from __future__ import annotations

import json

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
    from pipeline.record.read import query as ask

    frame = ask(app.session(offline=True).project.database, sql)
    rows = json.loads(frame.to_json(orient="records", date_format="iso"))
    app.answer("query", {"rows": rows}, frame.to_string(index=False) if len(frame) else "no rows")
    return 0
