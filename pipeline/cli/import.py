"""``assay import``: a bundle into this project."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.command import App, command


@command
@click.argument("path", metavar="FILE.tar|FILE.tar.001|FOLDER", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check everything and say what would come, write nothing.")
@click.option("--force", is_flag=True, help="Replace locks, specs and suites of the project that are others.")
def import_(app: App, path: Path, dry_run: bool, force: bool) -> int:
    """Take a bundle in, after checking all of it.

    Blobs go into the store, then locks, specs and suites into the project. One bad or missing byte, and nothing changes (exit 5).
    Results are put into .assay/imported.

    \b
    assay import tiny-chat.tar
    assay import /media/stick/all.tar.001          the other chunks lie beside it
    assay import tiny-chat.tar --dry-run
    """
    from pipeline.airgap.importing import take_in

    session = app.session(offline=True)
    done = take_in(path, session.project, session.store, dry_run=dry_run, force=force, progress=session.progress)
    models = [{"name": model.name, "lock_digest": f"sha256:{model.hex}"} for model in done.models]
    written = list(map(str, done.written))
    content = {"models": models, "new_blobs": done.blobs, "new_bytes": done.size, "files": written, "dry_run": dry_run}
    lines = [f"{model['lock_digest']}  {model['name']}" for model in models]
    lines.append(f"{'would bring' if dry_run else 'brought'} {done.blobs} new blobs, {done.size} bytes")
    app.answer("import", content, "\n".join([*lines, *(f"  {path}" for path in written)]))
    return 0
