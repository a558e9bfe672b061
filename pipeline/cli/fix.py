"""``assay fix``: mend what lint found."""

from __future__ import annotations

from dataclasses import asdict

import click

from pipeline.cli.command import NAME, App, command, listed


@command
@NAME
@click.option(
    "--code",
    "codes",
    multiple=True,
    callback=listed,
    metavar="CODE,…",
    help="Only these rules, infos among them: A201,A1.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change, write nothing.")
@click.option("--force", is_flag=True, help="Replace a template file that an earlier fix wrote and somebody changed.")
def fix(app: App, name: str, codes: tuple[str, ...], dry_run: bool, force: bool) -> int:
    """Mend what lint finds, where that is safe: override metadata in the spec, or write a corrected template beside it.
    Exit 1 when findings are left that the spec's gate does not allow.

    \b
    assay fix tiny-chat --dry-run      show the change
    assay fix tiny-chat                write it, then: assay lock tiny-chat
    assay fix tiny-chat --code A118    one rule, also where it is only an info
    """
    from pipeline.flow.fixing import fix as mend
    from pipeline.flow.fixing import told

    done = mend(app.session(), name, codes=codes, write=not dry_run, force=force)
    count = len(done.mended)
    would = "would be mended" if dry_run else "mended"
    said = "by the rules on the header; assay lint asks the engine too"
    lines = [f"{done.name}: {count} finding{'s' * (count != 1)} {would}, {len(done.left)} left ({said})"]
    lines += [f"  {one.code} {one.message}\n    -> {told(one.mend)}" for one in done.mended if one.mend]
    lines += [line for file in done.files for line in file.diff.splitlines()]
    for one in done.left:
        lines += [f"  left: {one.severity} {one.code} {one.message}", f"      fix: {one.fix}"]
    if done.written:
        lines.append(f"  -> assay lock {done.name}")
    content = {
        "name": done.name,
        "written": done.written,
        "mended": [asdict(one) for one in done.mended],
        "left": [asdict(one) for one in done.left],
        "files": [{"path": str(file.path), "diff": file.diff} for file in done.files],
    }
    app.answer("fix", content, "\n".join(lines))
    return 0 if done.accepted else 1
