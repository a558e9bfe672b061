"""``assay eval``: quality."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.command import NAMES, App, command
from pipeline.cli.stage import run_content, run_lines, run_stage
from pipeline.cli.turns import Turns
from pipeline.core.errors import UsageError


@command
@NAMES
@click.option(
    "--force", is_flag=True, help="Run again what is on record, and take no scores or answers that were kept."
)
@click.option(
    "--lm-eval", "tasks", metavar="TASKS", help="Run tasks of the LM Evaluation Harness instead, by name or file."
)
@click.option(
    "--tasks",
    "folder",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With --lm-eval: where more of its tasks lie.",
)
@click.option("--limit", type=click.IntRange(min=1), help="With --lm-eval: only the first items of each task.")
def eval_(
    app: App, names: tuple[str, ...], force: bool, tasks: str | None, folder: Path | None, limit: int | None
) -> int:
    """Measure quality: perplexity, multiple choice by log-likelihood, answers judged, with intervals.

    \b
    assay eval tiny-chat
    assay eval tiny-chat --lm-eval evals/my-task/task.yaml
    """
    if tasks:
        return _run_tasks(app, names, [name for name in tasks.split(",") if name], folder, limit)
    if folder or limit:
        raise UsageError("--tasks and --limit go with --lm-eval", hint="name its tasks, or leave them out")
    return run_stage(app, names, "eval", force)


def _run_tasks(app: App, names: tuple[str, ...], tasks: list[str], folder: Path | None, limit: int | None) -> int:
    from pipeline.flow.harness import run_harness
    from pipeline.flow.prepare import fetch_all

    session = app.session()
    turns = Turns(session.names(names))
    answers, lines = [], []
    for name in turns.names:
        with turns.of(name):
            lock = session.current(name)
            fetch_all(session, [lock])
            for done in run_harness(session, lock, tasks, folder=folder, limit=limit):
                answers.append(run_content(done))
                lines += [f"{name} {done.run.key.subject}", *run_lines(done.run)]
    app.answer("eval", {"runs": answers, "errors": turns.content()}, "\n".join(lines))
    return turns.end()
