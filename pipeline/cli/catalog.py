"""``assay catalog``: what became of every spec."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from pipeline.cli.command import NAMES, App, command


@command
@NAMES
def catalog(app: App, names: tuple[str, ...]) -> int:
    """Show which models of the catalog are accepted, rejected, unknown or stale (their digests changed since), why, and
    what to do next. Nothing is run. Exit 1 unless all are accepted.

    \b
    assay catalog
    assay catalog --json | jq -r '.models[] | select(.state != "accepted") | .name'
    """
    from pipeline.flow.catalog import State
    from pipeline.flow.catalog import catalog as entries_of

    session = app.session(offline=True)
    entries = entries_of(session, session.names(names))
    lines = []
    for entry in entries:
        lines.append(f"{entry.state:8}  {entry.name}")
        lines += [f"          {why}" for why in entry.why[:3]]
        lines += [f"          and {len(entry.why) - 3} more"] if len(entry.why) > 3 else []
        lines += [f"          waived: {one}" for one in entry.waived]
        lines += [f"          -> {entry.fix}"] if entry.fix else []
    counts = Counter(entry.state for entry in entries)
    lines.append(", ".join(f"{counts[state]} {state}" for state in State if counts[state]))
    app.answer("catalog", {"models": [asdict(entry) for entry in entries]}, "\n".join(lines))
    return 0 if all(entry.state is State.ACCEPTED for entry in entries) else 1
