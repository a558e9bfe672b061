"""``assay bench``: speed on this hardware."""

from __future__ import annotations

import click

from pipeline.cli.command import NAMES, App, command
from pipeline.cli.stage import run_stage


@command
@NAMES
@click.option("--force", is_flag=True, help="Run again what is on record.")
def bench(app: App, names: tuple[str, ...], force: bool) -> int:
    """Measure speed on this hardware: prefill and decode by llama-bench; TTFT, ITL and throughput through llama-server.

    \b
    assay bench tiny-chat
    """
    return run_stage(app, names, "bench", force)
