"""``assay verify``: are the stored bytes still the locked ones?"""

from __future__ import annotations

import click

from pipeline.cli.command import NAMES, App, command


@command
@NAMES
@click.option(
    "--deep", is_flag=True, help="Hash every byte again, instead of trusting receipts (size, time and inode)."
)
def verify(app: App, names: tuple[str, ...], deep: bool) -> int:
    """Check stored blobs against their locks. Opens no socket; a bad blob is moved to quarantine, exit 5.

    \b
    assay verify                 by receipts: fast
    assay verify --deep          by hashing again: certain
    """
    from pipeline.flow.prepare import verify_all
    from pipeline.store.verify import require

    session = app.session(offline=True)
    results = verify_all(session, [session.current(name) for name in session.names(names)], deep=deep, must=False)
    listed = [
        {
            "path": result.file.path,
            "want": result.file.sha256,
            "got": str(result.got) if result.got else None,
            "size": result.file.size,
            "stored": str(result.path),
            "hashed": result.hashed,
            "ok": result.ok,
            "problem": result.problem,
            "quarantined": str(result.kept) if result.kept else None,
        }
        for result in results
    ]
    good = [result for result in results if result.ok]
    lines = [
        f"ok  {result.file.sha256}  {result.file.path}{'' if result.hashed else '  (by receipt)'}" for result in good
    ]
    app.answer("verify", {"files": listed, "ok": good == results}, "\n".join(lines))
    require(results)
    return 0
