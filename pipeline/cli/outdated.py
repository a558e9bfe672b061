"""``assay outdated``: what became of the pinned models upstream."""

from __future__ import annotations

import click

from pipeline.cli.command import NAMES, App, command


@command
@NAMES
@click.option("--exit-code", is_flag=True, help="Exit 1 when something moved upstream.")
def outdated(app: App, names: tuple[str, ...], exit_code: bool) -> int:
    """Ask each model's origin: is there a newer one, is it gone, renamed, gated, under another licence? Locks stay as they are.

    \b
    assay outdated               all specs of the catalog
    assay lock --upgrade NAME    take what is there now
    """
    from pipeline.flow.outdated import outdated as ask

    session = app.session()
    found = ask(session, session.names(names))
    width = max(len(one.name) for one in found)
    lines = [
        f"{one.name:{width}}  {', '.join(one.states)}" + (f"\n{'':{width}}  {one.said}" if one.said else "")
        for one in found
    ]
    listed = [
        {"name": one.name, "states": list(one.states), "locked": one.locked, "now": one.now, "said": one.said}
        for one in found
    ]
    app.answer("outdated", {"models": listed}, "\n".join(lines))
    return 1 if exit_code and not all(one.current for one in found) else 0
