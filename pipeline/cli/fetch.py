"""``assay fetch``: bring blobs into the store."""

from __future__ import annotations

import click

from pipeline.cli.command import NAMES, App, command


@command
@NAMES
@click.option("--offline", is_flag=True, help="Use this machine only; fail for what would need the network.")
def fetch(app: App, names: tuple[str, ...], offline: bool) -> int:
    """Bring the blobs of locks into the store, verified as they come. Interrupted downloads resume.

    \b
    assay fetch                  everything that is locked
    assay fetch tiny-chat        one model
    """
    from pipeline.flow.prepare import fetch_all

    session = app.session(offline=offline)
    locks = [session.current(name) for name in session.names(names)]
    paths = fetch_all(session, locks)
    files = [file for lock in locks for file in lock.files]
    listed = [
        {"path": file.path, "digest": file.sha256, "size": file.size, "stored": str(path)}
        for file, path in zip(files, paths, strict=True)
    ]
    app.answer("fetch", {"files": listed}, "\n".join(f"{file.sha256}  {file.path}" for file in files))
    return 0
