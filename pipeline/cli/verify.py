"""``assay verify``: are the stored bytes still the locked ones?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.command import NAMES, PUBLIC_KEYS, App, command
from pipeline.core.errors import UsageError

if TYPE_CHECKING:
    from pipeline.cli.turns import Turns
    from pipeline.flow.session import Session
    from pipeline.lock.model import Lockfile


@command
@NAMES
@click.option(
    "--deep", is_flag=True, help="Hash every byte again, instead of trusting receipts (size, time and inode)."
)
@click.option("--repair", is_flag=True, help="With --deep: fetch what is bad again, of a bad blob only the bad 64 MiB.")
@click.option("--require-signed", is_flag=True, help="Refuse what no trusted key attests, or the gate did not accept.")
@PUBLIC_KEYS
def verify(
    app: App, names: tuple[str, ...], deep: bool, repair: bool, require_signed: bool, public_keys: tuple[Path, ...]
) -> int:
    """Check stored blobs against their locks. Opens no socket; a bad blob is moved to quarantine, exit 5.

    \b
    assay verify                 by receipts: fast
    assay verify --deep          by hashing again: certain
    assay verify --deep --repair and make good what is bad
    assay verify tiny-chat --require-signed --public-key key.pub
    """
    if require_signed != bool(public_keys):
        raise UsageError(
            "--require-signed and --public-key go together", hint="name the key that you trust: --public-key key.pub"
        )
    if repair and not deep:
        raise UsageError("--repair wants --deep", hint="run assay verify --deep --repair")
    from pipeline.cli.turns import current
    from pipeline.flow.prepare import repair_all, verify_all
    from pipeline.store.verify import require

    session = app.session(offline=not repair)
    locks, turns = current(session, names)
    with turns:
        signed = _signed(session, locks, public_keys, turns) if require_signed else []
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
    lines += [f"signed  {one['kind']}  {one['name']}: {one['said']}  (key {one['key'][:12]})" for one in signed]
    errors = turns.content()
    ok = not errors and (good == results or repair)
    content = {"files": listed, "errors": errors, "ok": ok, **({"signed": signed} if require_signed else {})}
    app.answer("verify", content, "\n".join(lines))
    with turns:
        if not repair:
            require(results)
    return turns.end()


def _signed(
    session: Session, locks: list[Lockfile], public_keys: tuple[Path, ...], turns: Turns
) -> list[dict[str, str]]:
    """Return what trusted keys attest of the locks."""
    from pipeline.attest.keys import read_all
    from pipeline.flow.attesting import signed

    keys, found = read_all(public_keys), list[dict[str, str]]()
    for lock in locks:
        with turns.of(lock.name):
            found += [
                {"name": lock.name, "kind": one.kind, "file": str(one.file), "key": one.key.id, "said": one.said}
                for one in signed(session, lock, keys)
            ]
    return found
