"""``assay bundle``: models as one file, for where no network is."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.command import NAMES, App, command


@command
@NAMES
@click.option(
    "--output", "-o", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The tar to write."
)
@click.option("--chunk-size", help="Cut it into files of this size, for instance 3900M.")
@click.option("--results/--no-results", default=True, help="Whether what is on record goes along.")
@click.option("--force", is_flag=True, help="Replace a bundle that is there.")
def bundle(app: App, names: tuple[str, ...], output: Path, chunk_size: str | None, results: bool, force: bool) -> int:
    """Write models, with all that belongs to them, into one tar.

    It is an OCI image layout with blobs, locks, specs, suites and results, and a script that checks it where there is only a Python.
    Every blob is hashed on its way: nothing unverified is bundled. The same content gives the same bytes.

    \b
    assay bundle tiny-chat -o tiny-chat.tar
    assay bundle -o all.tar --chunk-size 3900M     all that is locked, for sticks with FAT
    python3 verify.py tiny-chat.tar                where it arrives, without Assay
    assay import tiny-chat.tar
    """
    from pipeline.airgap.bundle import write_bundle
    from pipeline.airgap.chunks import parse_size
    from pipeline.flow.airgap import pack

    chunk = parse_size(chunk_size) if chunk_size else None
    session = app.session(offline=True)
    models = pack(session, session.names(names), results=results)
    made = write_bundle(models, output, chunk=chunk, force=force, progress=session.progress)
    listed = [{"name": model.lock.name, "lock_digest": str(model.lock.digest)} for model in models]
    files = list(map(str, made.paths))
    content = {"models": listed, "digest": str(made.digest), "size": made.size, "files": files}
    lines = [f"{model['lock_digest']}  {model['name']}" for model in listed]
    app.answer("bundle", content, "\n".join([*lines, *files]))
    return 0
