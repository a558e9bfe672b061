"""The results that go along with a model: its newest decision, or its newest runs where there is none, as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from pipeline.core.canonical import canonical_bytes, plain
from pipeline.record.access import reading
from pipeline.record.read import decisions_of, engine, hardware, runs_of

SCHEMA = "assay.results/1"


def results_of(database: Path, lock_digest: str) -> bytes | None:
    """Return the results on record for a lock, with the engine and the hardware they are of; None where there are none."""
    for table in ("decisions", "runs"):
        with reading(database) as connection:
            sql = (
                f"SELECT engine_digest, hardware_digest FROM {table} WHERE lock_digest = ? ORDER BY number DESC LIMIT 1"
            )
            found = connection.execute(sql, [lock_digest]).fetchone()
        if found:
            break
    else:
        return None
    made_by, made_on = found
    decisions = decisions_of(database, lock_digest, made_by, made_on)
    content = {
        "schema": SCHEMA,
        "lock_digest": lock_digest,
        "engine": {"digest": made_by, **engine(database, made_by)},
        "hardware": {"digest": made_on, **hardware(database, made_on)},
        "decision": asdict(decisions[0]) if decisions else None,
        "runs": [asdict(run) for run in runs_of(database, lock_digest, made_by, made_on)],
    }
    return canonical_bytes(plain(content))
