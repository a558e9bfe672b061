"""``assay check``: behaviour."""

from __future__ import annotations

import click

from pipeline.cli.command import NAMES, App, command
from pipeline.cli.stage import run_stage


@command
@NAMES
@click.option("--force", is_flag=True, help="Run again what is on record.")
def check(app: App, names: tuple[str, ...], force: bool) -> int:
    """Check behaviour through llama-server: stop tokens, tool calling. Exit 1 when a case of a required group does not
    pass.

    \b
    assay check tiny-chat
    assay check tiny-chat --json | jq '.runs[].outcomes[] | select(.verdict != "pass")'
    """
    return run_stage(app, names, "check", force)
