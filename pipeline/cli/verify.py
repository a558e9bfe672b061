"""``assay verify``: are the stored bytes still the locked ones?"""

from __future__ import annotations

import click

from pipeline.cli.command import NAMES, App, command
from pipeline.core.errors import UsageError


@command
@NAMES
@click.option(
    "--deep", is_flag=True, help="Hash every byte again, instead of trusting receipts (size, time and inode)."
)
@click.option("--repair", is_flag=True, help="With --deep: fetch what is bad again, of a bad blob only the bad 64 MiB.")
def verify(app: App, names: tuple[str, ...], deep: bool, repair: bool) -> int:
    """Check stored blobs against their locks. Opens no socket; a bad blob is moved to quarantine, exit 5.

    \b
    assay verify                 by receipts: fast
    assay verify --deep          by hashing again: certain
    assay verify --deep --repair and make good what is bad
    """
    if repair and not deep:
        raise UsageError("--repair wants --deep", hint="run assay verify --deep --repair")
    from pipeline.flow.prepare import repair_all, verify_all
    from pipeline.store.verify import require

    session = app.session(offline=not repair)
    locks = [session.current(name) for name in session.names(names)]
    results = verify_all(session, locks, deep=deep, must=False)
    repaired = {done.file: done for done in repair_all(session, results)} if repair else {}
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
            "repaired": result.file in repaired,
            "fetched": repaired[result.file].fetched if result.file in repaired else 0,
        }
        for result in results
    ]
    good = [result for result in results if result.ok]
    lines = [
        f"ok  {result.file.sha256}  {result.file.path}{'' if result.hashed else '  (by receipt)'}" for result in good
    ]
    lines += [
        f"repaired  {file.sha256}  {file.path}  ({done.fetched:,} bytes fetched)" for file, done in repaired.items()
    ]
    app.answer("verify", {"files": listed, "ok": good == results or repair}, "\n".join(lines))
    if repair:
        return 0
    require(results)
    return 0
