"""``assay schema``: the JSON Schema of specs, locks and the policy, for editors."""

from __future__ import annotations

import json

import click

from pipeline.cli.command import App, command


@command
@click.argument("which", type=click.Choice(["spec", "lock", "policy"]), default="spec")
def schema(app: App, which: str) -> int:
    """Print the JSON Schema of a spec (or a lock, or the policy), for editors and other tools.

    \b
    assay schema > spec.schema.json
    """
    from pydantic import BaseModel

    from pipeline.lock.model import Lockfile
    from pipeline.spec.model import Spec
    from pipeline.spec.policy import Policy

    models: dict[str, type[BaseModel]] = {"spec": Spec, "lock": Lockfile, "policy": Policy}
    described = models[which].model_json_schema()
    app.answer("schema", {"of": which, "json_schema": described}, json.dumps(described, indent=2))
    return 0
