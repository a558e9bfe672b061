"""``assay lint``: faults that show without the weights."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.command import App, command, complete_names, listed
from pipeline.cli.turns import Turns

if TYPE_CHECKING:
    from pipeline.runtime.build import EngineBuild


@command
@click.argument("targets", nargs=-1, metavar="[NAME|FILE.gguf|REFERENCE…]", shell_complete=complete_names)
@click.option(
    "--stage",
    type=click.Choice(["header", "vocabulary", "hollow", "playback"]),
    default="playback",
    help="Go no further than this: the file's header, the engine's reading of the vocabulary, the real server on an "
    "empty body, or on one that plays a script.",
)
@click.option("--select", multiple=True, callback=listed, metavar="CODE,…", help="Only rules that begin so: A201,A1.")
@click.option("--ignore", multiple=True, callback=listed, metavar="CODE,…", help="Not the rules that begin so.")
@click.option(
    "--format", "form", type=click.Choice(["text", "github", "sarif"]), default="text", help="How to tell it."
)
@click.option(
    "--baseline", type=click.Path(path_type=Path), metavar="FILE", help="Findings in it are shown and don't count."
)
@click.option(
    "--write-baseline", type=click.Path(path_type=Path), metavar="FILE", help="Write all findings of now to a baseline."
)
def lint(
    app: App,
    targets: tuple[str, ...],
    stage: str,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    form: str,
    baseline: Path | None,
    write_baseline: Path | None,
) -> int:
    """Find faults in model files and templates; the weights are never needed. Exit 1 when a spec's gate does not allow
    them. Where there is no engine, what it would be asked is not evaluated.

    \b
    assay lint                        all specs of the catalog
    assay lint tiny-chat
    assay lint some.gguf              a file without a spec: errors exit 1
    assay lint hf://org/name:Q4_K_M   before it is downloaded: only its header is read
    assay lint --stage header *.gguf  no engine is asked
    assay lint --format sarif > assay.sarif
    """
    from pipeline.lint.renderers import warm

    warm()  # it starts while we import the rest
    from pipeline.flow.linting import Choice, kind_of, lint_all
    from pipeline.lint.baseline import read_baseline
    from pipeline.lint.baseline import write_baseline as write
    from pipeline.lint.formats._base import fingerprint, formats
    from pipeline.lint.model import Stage

    known = frozenset(read_baseline(baseline)) if baseline else frozenset()
    session = app.session() if not targets or any(kind_of(target) == "spec" for target in targets) else None
    named = targets or tuple(session.names(()) if session else ())
    upto = Stage(stage)
    choice = Choice(select, ignore, known, upto, None if upto is Stage.HEADER else _engine(app))
    turns = Turns(named)
    results = lint_all(session, named, Path(app.folder), choice, turns.errors)
    if write_baseline and not turns.errors:
        count = write(write_baseline, results)
        app.answer(
            "lint-baseline", {"file": str(write_baseline), "findings": count}, f"{write_baseline}: {count} findings"
        )
        return 0
    answers = [
        {
            "target": result.target,
            "accepted": result.accepted,
            "findings": [
                {
                    **asdict(finding),
                    "fingerprint": fingerprint(result.target, finding),
                    "known": finding in result.known,
                }
                for finding in result.findings
            ],
            "not_evaluated": dict(result.not_evaluated),
        }
        for result in results
    ]
    content = {"results": answers, "errors": turns.content()}
    app.answer("lint", content, formats()[form].render(results), exact=form != "text")
    return turns.end(0 if all(result.accepted for result in results) else 1)


def _engine(app: App) -> EngineBuild | None:
    """Return the engine to ask, None where none is found; one that the user names must be there."""
    from pipeline.core.errors import EngineError
    from pipeline.runtime.build import find_engine

    try:
        return find_engine(app.engine)
    except EngineError:
        if app.engine:
            raise
        return None
