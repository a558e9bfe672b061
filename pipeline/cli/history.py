"""``assay history``: one metric over all runs."""

from __future__ import annotations

from dataclasses import asdict

import click

from pipeline.cli.command import NAME, App, command


@command
@NAME
@click.argument("metric", metavar="METRIC")
@click.option(
    "--hardware",
    metavar="DIGEST",
    help="Of the hardware whose digest begins so, not of this one; all: of every one.",
)
def history(app: App, name: str, metric: str, hardware: str | None) -> int:
    """Show a metric of a model over the runs on record, the oldest first, and where its level changed.

    METRIC is SUITE.METRIC, or bench.METRIC for every setting, or bench.METRIC@SETTING. A change of level is one that the
    order of the values shows: fewer than 1 in 100 random orders of them split as well. Only runs on this class of hardware
    are shown, unless --hardware says otherwise.

    \b
    assay history tiny-chat tiny-facts.acc
    assay history tiny-chat bench.decode_tok_s@tg64
    assay history tiny-chat bench.decode_tok_s --hardware all --json | jq '.values[].value'
    """
    from pipeline.flow.history import hardware_named, no_history
    from pipeline.record.history import history as values_of

    session = app.session(offline=True)
    here = str(session.hardware.digest)
    machine = None if hardware == "all" else hardware_named(session, hardware) if hardware else here
    found = values_of(session.project.database, name, metric, machine)
    if not found:
        raise no_history(session, name, metric, machine or "")
    lines, levels = [], dict[tuple[str, str, str], int]()
    for one in found:
        series = (one.layer, one.test, one.hardware_digest)
        changed = one.value is not None and one.level != levels.setdefault(series, one.level)
        levels[series] = one.level if one.value is not None else levels.get(series, 0)
        shown = f"{one.value:.4g} {one.unit}".rstrip() if one.value is not None else f"no value: {one.reason}"
        interval = f"  [{one.low:.4g}, {one.high:.4g}]" if one.low is not None and one.high is not None else ""
        where = f"  {one.layer} {one.test}" if one.test else ""
        lines.append(
            f"{one.started:%Y-%m-%d %H:%M}  {one.lock_digest[7:19]}{where}  {shown}{interval}"
            f"{'  <- a new level' if changed else ''}"
        )
    app.answer("history", {"model": name, "metric": metric, "values": [asdict(one) for one in found]}, "\n".join(lines))
    return 0
