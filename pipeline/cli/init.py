"""``assay init``: a first spec."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from pipeline.cli.command import App, command


@command
@click.argument("name")
@click.option("--source", help="Where the model comes from: hf://…, ollama://…, oci://…, https://… or file:…")
@click.option(
    "--from-modelfile", type=click.Path(path_type=Path), metavar="FILE", help="Take it from a Modelfile of Ollama."
)
@click.option("--force", is_flag=True, help="Replace a spec that is there.")
def init(app: App, name: str, source: str | None, from_modelfile: Path | None, force: bool) -> int:
    """Write a first spec to specs/NAME.yaml.

    \b
    assay init qwen --source hf://Qwen/Qwen3-0.6B-GGUF:Q8_0
    assay init my-model --source file:../models/my-model.gguf
    assay init my-model --from-modelfile Modelfile
    """
    from pipeline.core.errors import UsageError
    from pipeline.core.files import atomic_write
    from pipeline.core.project import Project
    from pipeline.spec import yaml
    from pipeline.spec.first import first_spec
    from pipeline.spec.load import POLICY_FILE, check, shown
    from pipeline.spec.model import Spec
    from pipeline.spec.parts import NAME as NAME_PATTERN
    from pipeline.spec.sources._base import source_of

    if source is None and from_modelfile is None:
        raise UsageError("where does the model come from?", hint="say --source REFERENCE, or --from-modelfile FILE")
    if source is not None and from_modelfile is not None:
        raise UsageError(
            "--source and --from-modelfile both say where the model comes from", hint="leave one of them out"
        )
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(
            f"{name!r} can't be the name of a model", hint="write lower-case letters, digits, dots, - and _"
        )
    if f"{name}.yaml" == POLICY_FILE:
        raise UsageError(f"specs/{POLICY_FILE} is the catalog's policy", hint="choose another name for the model")
    try:
        project = Project.find(app.folder)
    except UsageError:
        project = Project(Path(app.folder).resolve())
    path = project.specs / f"{name}.yaml"
    notes: list[str] = []
    if source:
        text = first_spec(name, source, path.parent)
    else:
        text, notes = _converted(name, from_modelfile or Path(), path.parent)
    spec = check(yaml.parse(text, path.name), Spec)
    source_of(spec.source).check(spec.source)
    if path.exists() and not force:
        raise UsageError(f"{path} exists", hint="choose another name, or --force")
    atomic_write(path, text)
    listed = "".join(f"\n  note: {note}" for note in notes)
    app.answer("init", {"spec": str(path), "notes": notes}, f"{shown(path)}{listed}\n  -> assay lock {name}")
    return 0


def _converted(name: str, modelfile: Path, specs: Path) -> tuple[str, list[str]]:
    from pipeline.core.errors import UsageError
    from pipeline.spec.from_modelfile import spec_of
    from pipeline.spec.modelfile import read_modelfile

    try:
        text = modelfile.read_text()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"can't read {modelfile}: {said}", hint="name a Modelfile") from None
    folder = os.path.relpath(modelfile.resolve().parent, specs.resolve())
    return spec_of(read_modelfile(text), name, folder=folder)
