"""``assay reproduce``: the same again?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from pipeline.cli.command import App, command

if TYPE_CHECKING:
    from pipeline.compare.again import Difference
    from pipeline.flow.reproduce import Reproduced

SHOWN = 50


@command
@click.argument("run", metavar="RUN")
def reproduce(app: App, run: str) -> int:
    """Do a recorded run again, with the same lock, engine and suite, and say what differs, item by item.

    The lock comes from the record, so it works for locks that are no longer in lockfiles/, if their blobs are in the
    store. On the same machine every score is the same, bit for bit; what a model wrote is compared by digest. Nothing is
    recorded. Exit 0: the same. 1: something differs. 3, 5 or 6: the suite, a blob or the engine of that run is not here.

    \b
    assay reproduce 20260314T092653-1f0c44de
    assay query "SELECT id, model, stage, subject FROM runs ORDER BY started"
    """
    from pipeline.flow.reproduce import reproduce as do_again

    made = do_again(app.session(offline=True), run)
    key = made.before.key
    content = {
        "run": run,
        "model": made.before.model,
        "stage": key.stage,
        "subject": key.subject,
        "same": made.same,
        "compared": made.count,
        "outputs_before": made.before.outputs_digest,
        "outputs_after": made.after.outputs_digest,
        "notes": list(made.notes),
        "differences": [asdict(one) for one in made.differences],
    }
    app.answer("reproduce", content, "\n".join(_lines(made)))
    return int(not made.same)


def _lines(made: Reproduced) -> Iterator[str]:
    before, found = made.before, made.differences
    what = f"{before.model} {before.key.stage} {before.key.subject}"
    if made.same:
        yield f"{what}: the same, bit for bit ({made.count} compared, outputs {before.outputs_digest})"
    else:
        flipped = sum(one.flipped for one in found)
        largest = max((one.largest for one in found if one.largest is not None), default=None)
        moved = f", largest change of a log-probability {largest:.4g} nats" if largest is not None else ""
        yield f"{what}: differs in {len(found)} {'place' if len(found) == 1 else 'places'}, {flipped} judged otherwise{moved}"
    yield from (f"  {note}" for note in made.notes)
    yield from (f"  {_line(one)}" for one in found[:SHOWN])
    if len(found) > SHOWN:
        yield f"  and {len(found) - SHOWN} more (--json names all)"


def _line(one: Difference) -> str:
    before, after = (
        "missing" if value is None else f"{value:.6g}" if isinstance(value, float) else value
        for value in (one.before, one.after)
    )
    moved = f"  by up to {one.largest:.3g} nats" if one.largest else ""
    return f"{one.sort:8} {one.id}: {before} -> {after}{moved}{'  FLIPPED' if one.flipped else ''}"
