"""``assay results``: every item that was scored, for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.command import App, command, complete_names


@command
@click.argument("names", nargs=-1, required=True, metavar="NAME|RUN…", shell_complete=complete_names)
@click.option("--suite", "suites", multiple=True, metavar="SUITE", help="Only this suite; may be given several times.")
@click.option(
    "--output", "-o", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write."
)
def results(app: App, names: tuple[str, ...], suites: tuple[str, ...], output: Path) -> int:
    """Write the items of checks and evals on record into one file: prompt, answer, score, verdict, log-probabilities.

    The end of the file's name says the format: .parquet or .jsonl, a row an item with the digests it belongs to; or
    .json, a log of Inspect (inspect_ai), which holds one run. Names are specs (what counts for their locks on this
    engine and hardware) or ids of runs.

    \b
    assay results tiny-chat -o items.parquet
    assay results tiny-chat --suite tiny-facts -o tiny-facts.json
    duckdb -c "SELECT suite, avg(score) FROM 'items.parquet' GROUP BY suite"
    """
    from pipeline.core.errors import UsageError
    from pipeline.flow.history import side_of
    from pipeline.report.logs._base import Logged, log_for

    log = log_for(output)
    session = app.session(offline=True)
    sides = [side_of(session, name) for name in names]
    logs = [Logged(run, side.lock) for side in sides for run in side.runs if not suites or run.key.subject in suites]
    if not logs:
        known = sorted({run.key.subject for side in sides for run in side.runs})
        raise UsageError(f"no run of {', '.join(suites)} is on record", hint=f"there is: {', '.join(known)}")
    output.parent.mkdir(parents=True, exist_ok=True)
    log.write(logs, output)
    runs = [{"id": logged.run.id, "suite": logged.run.key.subject} for logged in logs]
    app.answer("results", {"file": str(output), "runs": runs}, str(output))
    return 0
