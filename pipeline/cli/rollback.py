"""``assay rollback``: back to what ran before."""

from __future__ import annotations

import click

from pipeline.cli.command import NAME, App, command


@command
@NAME
@click.argument("steps", type=click.IntRange(1, 1000), default=1, metavar="[N]")
def rollback(app: App, name: str, steps: int) -> int:
    """Deploy what ran before again, or N deployments before: the same lock, verified again, by the decision of then.

    \b
    assay rollback tiny-chat
    assay rollback tiny-chat 2
    """
    from pipeline.cli.deployed import show
    from pipeline.flow.deploying import rollback as rollback_

    show(app, "rollback", rollback_(app.session(), name, steps))
    return 0
