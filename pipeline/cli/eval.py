"""``assay eval``: quality."""

from __future__ import annotations

import click

from pipeline.cli.command import NAMES, App, command
from pipeline.cli.stage import run_stage


@command
@NAMES
@click.option("--force", is_flag=True, help="Run again what is on record.")
def eval_(app: App, names: tuple[str, ...], force: bool) -> int:
    """Measure quality: perplexity, multiple choice by log-likelihood, with intervals.

    \b
    assay eval tiny-chat
    """
    return run_stage(app, names, "eval", force)
