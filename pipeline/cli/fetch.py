"""``assay fetch``: bring blobs into the store."""

from __future__ import annotations

import click

from pipeline.cli.command import NAMES, RATE, App, command


@command
@NAMES
@click.option("--offline", is_flag=True, help="Use this machine only; fail for what would need the network.")
@click.option(
    "--limit-rate", type=RATE, metavar="RATE", help="Bytes a second for all transfers together: 500k, 20M, 1G."
)
def fetch(app: App, names: tuple[str, ...], offline: bool, limit_rate: int | None) -> int:
    """Bring the blobs of locks into the store, in parallel ranges, verified as they come. What was interrupted resumes.

    \b
    assay fetch                  everything that is locked
    assay fetch tiny-chat        one model
    assay fetch --limit-rate 20M
    """
    from pipeline.cli.turns import current
    from pipeline.flow.prepare import fetch_all

    session = app.session(offline=offline)
    locks, turns = current(session, names)
    with turns:
        paths = fetch_all(session, locks, limit_rate=limit_rate)
    files = [file for lock in locks for file in lock.files]
    listed = [
        {"path": file.path, "digest": file.sha256, "size": file.size, "stored": str(path)}
        for file, path in zip(files, paths, strict=True)
    ]
    content = {"files": listed, "errors": turns.content()}
    app.answer("fetch", content, "\n".join(f"{file.sha256}  {file.path}" for file in files))
    return turns.end()
