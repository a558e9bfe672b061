"""``assay record``: carry results from machine to machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from pipeline.cli.command import App, command


@command
@click.argument("action", type=click.Choice(["export", "import"]))
@click.argument("paths", nargs=-1, required=True, metavar="PATH…", type=click.Path(path_type=Path))
def record(app: App, action: str, paths: tuple[Path, ...]) -> int:
    """Write the whole record to a folder as Parquet, or add those of other machines to this one. Every run has an id, so
    that the same ones may be imported in any order and as often as you like: nothing is there twice.

    \b
    assay record export results/gpu-box-1
    assay record import results/gpu-box-1 results/gpu-box-2
    assay record import ../elsewhere/.assay/results.duckdb
    """
    from pipeline.core.errors import UsageError
    from pipeline.record.merge import merge, write_record

    database = app.session(offline=True).project.database
    if action == "export":
        if len(paths) != 1:
            raise UsageError("export writes to one folder", hint="assay record export FOLDER")
        counts = write_record(database, paths[0])
        app.answer("record", {"folder": str(paths[0]), "rows": counts}, f"{paths[0]}: {counts['runs']} runs")
        return 0
    merged = [merge(database, path) for path in paths]
    lines = [f"{one.source}: {one.added.get('runs', 0)} runs added, {one.known} were there" for one in merged]
    app.answer("record", {"merged": [asdict(one) for one in merged]}, "\n".join(lines))
    return 0
