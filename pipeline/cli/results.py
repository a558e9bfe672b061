"""``assay results``: every item that was scored, for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.command import App, command, complete_names, listed


@command
@click.argument("names", nargs=-1, required=True, metavar="NAME|RUN…", shell_complete=complete_names)
@click.option("--suite", "suites", multiple=True, callback=listed, metavar="SUITE,…", help="Only these suites.")
@click.option("--output", "-o", required=True, help="The file to write, or a folder (ends with /) for logs of Inspect.")
def results(app: App, names: tuple[str, ...], suites: tuple[str, ...], output: str) -> int:
    """Write the items of checks and evals on record for other tools: prompt, answer, score, verdict, log-probabilities.

    The end of the file's name says the format: .parquet, .csv or .jsonl, a row an item with the digests it belongs to; or
    .json, a log of Inspect (inspect_ai), which holds one run. A folder gets a log of Inspect for each run, for inspect
    view. Names are specs (what counts for their locks on this engine and hardware), digests of locks, or ids of runs.
    Numbers alone: assay report NAME --format csv, and of all models as Parquet assay record export FOLDER.

    \b
    assay results tiny-chat -o items.parquet
    assay results tiny-chat --suite tiny-facts -o tiny-facts.json
    assay results tiny-chat -o logs/                  then: inspect view --log-dir logs
    duckdb -c "SELECT suite, avg(score) FROM 'items.parquet' GROUP BY suite"
    """
    from pipeline.core.errors import UsageError
    from pipeline.flow.history import side_of
    from pipeline.report.logs._base import Logged, log_for
    from pipeline.report.logs.inspect import write_folder

    place = Path(output)
    log = None if output.endswith("/") or place.is_dir() else log_for(place)
    session = app.session(offline=True)
    sides = [side_of(session, name) for name in names]
    known = sorted({run.key.subject for side in sides for run in side.runs})
    if missing := [suite for suite in suites if suite not in known]:
        raise UsageError(f"no run of {', '.join(missing)} is on record", hint=f"there is: {', '.join(known)}")
    logs = [Logged(run, side.lock) for side in sides for run in side.runs if not suites or run.key.subject in suites]
    place.parent.mkdir(parents=True, exist_ok=True)
    if log:
        log.write(logs, place)
    files = [str(place)] if log else [str(path) for path in write_folder(logs, place)]
    runs = [{"id": logged.run.id, "suite": logged.run.key.subject} for logged in logs]
    app.answer("results", {"files": files, "runs": runs}, "\n".join(files))
    return 0
