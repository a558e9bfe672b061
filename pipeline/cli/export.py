"""``assay export``: a locked model as other tools know it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from pipeline.cli.command import NAME, App, command


@command
@NAME
@click.option("--format", "format_", required=True, help="sha256sums, modelfile, cyclonedx-json or oci.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The file to write; for oci the folder.")
def export(app: App, name: str, format_: str, output: Path | None) -> int:
    """Write a locked model down for other tools.

    Sums for sha256sum, a Modelfile for Ollama, a CycloneDX bill of materials, or an OCI image layout in a folder.

    \b
    assay export tiny-chat --format sha256sums > SHA256SUMS
    assay export tiny-chat --format modelfile -o Modelfile
    assay export tiny-chat --format cyclonedx-json -o tiny-chat.cdx.json
    assay export tiny-chat --format oci -o layout/
    """
    from pipeline.core.errors import UsageError
    from pipeline.core.files import atomic_write
    from pipeline.export._base import FolderFormat, TextFormat, export_of
    from pipeline.flow.airgap import pack

    kind = export_of(format_)
    session = app.session(offline=True)
    (model,) = pack(session, [name], results=kind.FOLDER)
    content = {"name": name, "lock_digest": str(model.lock.digest), "format": format_}
    if kind.FOLDER:
        if not output:
            raise UsageError(f"{format_} is a folder", hint="name it with -o")
        cast(FolderFormat, kind).write(model, output, session.progress)
    else:
        text = cast(TextFormat, kind).render(model)
        if not output:
            app.answer("export", {**content, "text": text}, text.rstrip("\n"), exact=True)
            return 0
        atomic_write(output, text)
    app.answer("export", {**content, "file": str(output)}, str(output))
    return 0
