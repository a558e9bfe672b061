"""``assay prune``: what no lock names leaves the store."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.command import App, command


@command
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option(
    "--forget",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A project that used this store and is gone for good; its locks don't count.",
)
def prune(app: App, dry_run: bool, forget: tuple[Path, ...]) -> int:
    """Remove blobs that no lock names, downloads that stopped, and bad files that were replaced.

    Locks count as they lie in lockfiles/ now, of every project that uses this store; those of other branches or commits don't.
    While something is being locked or imported, nothing is removed: exit 2.

    \b
    assay prune --dry-run
    assay prune
    """
    from pipeline.flow.pruning import prune_store

    session = app.session(offline=True)
    pruned = prune_store(session, dry_run=dry_run, forget=forget)
    word = "would go" if dry_run else "went"
    content = {"files": pruned.files, "bytes": pruned.bytes, "dry_run": dry_run}
    app.answer("prune", content, f"{pruned.files} files, {pruned.bytes / 1e6:,.1f} MB {word}")
    return 0
