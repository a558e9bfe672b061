"""``assay check``: behaviour."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.command import NAMES, App, command
from pipeline.cli.stage import run_stage


@command
@NAMES
@click.option("--force", is_flag=True, help="Run again what is on record.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="ENGINE",
    help="Run on another build too (a llama-server or its folder, of any commit), and say what differs.",
)
def check(app: App, names: tuple[str, ...], force: bool, against: Path | None) -> int:
    """Check behaviour through llama-server with the suites that the spec names: each case whole and streamed, graded, the
    groups with their pass rates, and the likely cause of what fails. Exit 1 when a required group does not pass; with
    --against, when anything is worse on the other build.

    \b
    assay check tiny-chat
    assay check tiny-chat --json | jq '.runs[].outcomes[] | select(.verdict != "pass")'
    assay check tiny-chat --against ~/llama.cpp/build/bin    before you move to a newer engine
    """
    if against is not None:
        from pipeline.cli.against import run_against

        return run_against(app, names, against, force)
    return run_stage(app, names, "check", force)
