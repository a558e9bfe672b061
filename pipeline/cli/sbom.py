"""``assay sbom``: a bill of materials with what was measured."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.command import NAME, App, command


@command
@NAME
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
def sbom(app: App, name: str, output: Path | None) -> int:
    """Print a CycloneDX 1.7 bill of materials: the model with its card and what was measured of it, its files, the engine's files, the
    suites by digest, licences, and the gate's verdict.

    The numbers are those on record for this engine and hardware, with their 95 % intervals. Without results it is what
    `assay export --format cyclonedx-json` writes, which needs the lock alone.

    \b
    assay sbom tiny-chat -o tiny-chat.cdx.json
    """
    from pipeline.core.files import atomic_write
    from pipeline.flow.billing import bill

    session = app.session(offline=True)
    lock = session.current(name)
    text = bill(session, lock)
    content = {"name": name, "lock_digest": str(lock.digest)}
    if not output:
        app.answer("sbom", {**content, "text": text}, text.rstrip("\n"), exact=True)
        return 0
    atomic_write(output, text)
    app.answer("sbom", {**content, "file": str(output)}, str(output))
    return 0
