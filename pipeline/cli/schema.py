"""``assay schema``: the JSON Schema of specs and locks, for editors."""

from __future__ import annotations

import json

import click

from pipeline.cli.command import App, command


@command
@click.argument("which", type=click.Choice(["spec", "lock"]), default="spec")
def schema(app: App, which: str) -> int:
    """Print the JSON Schema of a spec (or a lock), for editors and other tools.

    \b
    assay schema > spec.schema.json
    """
    from pipeline.lock.model import Lockfile
    from pipeline.spec.model import Spec

    described = (Spec if which == "spec" else Lockfile).model_json_schema()
    app.answer("schema", {"of": which, "json_schema": described}, json.dumps(described, indent=2))
    return 0
