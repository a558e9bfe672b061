"""``assay init``: a first spec."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipeline.cli.command import App, command

_SPEC = """\
# Every key and its default: assay schema. What to do next: assay lock {name} && assay run {name}
name: {name}
source: {source}
license:
  allow: [apache-2.0, mit]
engine:
  context: 4096
  slots: 1
gates:
  lint: warning
"""


@command
@click.argument("name")
@click.option("--source", required=True, help="Where the model comes from: file:… or https://…")
@click.option("--force", is_flag=True, help="Replace a spec that is there.")
def init(app: App, name: str, source: str, force: bool) -> int:
    """Write a first spec to specs/NAME.yaml.

    \b
    assay init my-model --source file:../models/my-model.gguf
    """
    from pipeline.core.errors import UsageError
    from pipeline.core.files import atomic_write
    from pipeline.core.project import Project
    from pipeline.spec import yaml
    from pipeline.spec.load import check, shown
    from pipeline.spec.model import Spec
    from pipeline.spec.sources._base import source_of

    try:
        project = Project.find(app.folder)
    except UsageError:
        project = Project(Path(app.folder).resolve())
    path = project.specs / f"{name}.yaml"
    # A source may hold what YAML takes for its own, such as " #"; as JSON it is plain text.
    plain = yaml.parse(f"x: {source}", path.name)
    as_is = not plain.problems and plain.value == {"x": source}
    text = _SPEC.format(name=name, source=source if as_is else json.dumps(source))
    check(yaml.parse(text, path.name), Spec)
    source_of(source).check(source)
    if path.exists() and not force:
        raise UsageError(f"{path} exists", hint="choose another name, or --force")
    atomic_write(path, text)
    app.answer("init", {"spec": str(path)}, f"{shown(path)}\n  -> assay lock {name}")
    return 0
