"""``assay lock``: pin."""

from __future__ import annotations

import click

from pipeline.cli.command import NAMES, App, command


@command
@NAMES
@click.option(
    "--check", is_flag=True, help="Only compare; exit 3 and the changed fields when a spec moved. No network."
)
@click.option("--dry-run", is_flag=True, help="Resolve and show what would change, write nothing.")
def lock(app: App, names: tuple[str, ...], check: bool, dry_run: bool) -> int:
    """Pin what specs name: every blob by digest, the engine, the suites, the command line.

    \b
    assay lock                   all specs of the catalog
    assay lock tiny-chat         one
    assay lock --check           in CI: is every lock what its spec says?
    """
    from pipeline.core.errors import LockOutOfDate
    from pipeline.flow import prepare

    session = app.session()
    answers, lines, code = [], [], 0
    for name in session.names(names):
        if check:
            try:
                changes, state = prepare.check(session, name), ""
            except LockOutOfDate as error:
                changes, state = [], error.message
            stale = bool(changes or state)
            code = LockOutOfDate.exit_code if stale else code
            lines.append(f"{name}: {state or ('out of date' if stale else 'up to date')}")
            answer = {"name": name, "current": not stale, "problem": state}
        else:
            made = prepare.make_lock(session, name, dry_run=dry_run)
            changes = list(made.changes)
            would = "would be written" if made.fresh else "would change" if changes else "unchanged"
            word = "written" if made.written else would if dry_run else "unchanged"
            lines.append(f"{name}: {word}, {made.lock.digest}")
            answer = {"name": name, "digest": str(made.lock.digest), "written": made.written}
        lines += [f"  {change}" for change in changes]
        answers.append({**answer, "changes": [vars(change) for change in changes]})
    if code:
        lines.append("  -> run assay lock")
    app.answer("lock", {"locks": answers}, "\n".join(lines))
    return code
