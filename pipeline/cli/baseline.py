"""``assay baseline``: accept results, to compare later ones with."""

from __future__ import annotations

import getpass
from dataclasses import asdict

import click

from pipeline.cli.command import NAMES, App, command


@command
@click.argument("action", type=click.Choice(["accept", "show"]), default="show")
@NAMES
@click.option("--reason", metavar="TEXT", help="Why these results are the ones to compare with.")
@click.option("--owner", metavar="NAME", help="Who answers for it; you, unless named.")
def baseline(app: App, action: str, names: tuple[str, ...], reason: str | None, owner: str | None) -> int:
    """Accept the results on record as a model's baseline on this hardware, or show its baselines. The rules under
    `baseline:` in specs/policy.yaml compare later results with it, item by item.

    \b
    assay baseline accept tiny-chat --reason "first release"
    assay baseline show
    """
    from pipeline.core.errors import UsageError
    from pipeline.flow.baseline import accept_all, baselines

    session = app.session(offline=True)
    if action == "show":
        found = {name: baselines(session, name) for name in session.names(names)}
        lines = [
            f"{name}: " + (f"{one[0].accepted:%Y-%m-%d} by {one[0].owner}: {one[0].reason}" if one else "no baseline")
            for name, one in found.items()
        ]
        content = {name: [asdict(each) for each in one] for name, one in found.items()}
        app.answer("baselines", {"baselines": content}, "\n".join(lines))
        return 0
    if not names or not reason or not reason.strip():
        hint = 'assay baseline accept NAME --reason "why these results are those to compare with"'
        raise UsageError("accept wants the name of a model and --reason", hint=hint)
    who = owner or getpass.getuser()
    locks = [session.current(name) for name in session.names(names)]
    made = accept_all(session, locks, reason=reason.strip(), owner=who)
    lines = [f"{one.model}: {len(one.run_ids)} runs of lock {one.lock_digest[7:19]} are the baseline" for one in made]
    app.answer("baselines", {"baselines": [asdict(one) for one in made]}, "\n".join(lines))
    return 0
