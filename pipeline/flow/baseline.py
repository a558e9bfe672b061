"""Baselines: results of a model that somebody accepted, with which later ones are compared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pipeline.compare.model import Side
from pipeline.core.errors import UsageError
from pipeline.flow.history import recorded_lock
from pipeline.flow.session import Session
from pipeline.flow.stages import recorded
from pipeline.gate.policy import Baseline
from pipeline.lock.model import Lockfile
from pipeline.record.model import Accepted
from pipeline.record.read import baselines_of, runs_by_id


def accept(session: Session, lock: Lockfile, *, reason: str, owner: str) -> Accepted:
    """Make what is on record for a lock, on this engine and hardware, the model's baseline. Raises UsageError where
    nothing that can be compared is on record.
    """
    return accept_all(session, [lock], reason=reason, owner=owner)[0]


def accept_all(session: Session, locks: Sequence[Lockfile], *, reason: str, owner: str) -> list[Accepted]:
    """Accept all, or none where one can't be. Raises as ``accept`` does."""
    made = [_accepted(session, lock, reason, owner) for lock in locks]
    for one in made:
        session.recorder.add_baseline(one)
    return made


def _accepted(session: Session, lock: Lockfile, reason: str, owner: str) -> Accepted:
    runs = [run for run in recorded(session, lock) if run.key.stage in ("check", "eval")]
    if not runs:
        said = f"no check and no eval of {lock.name} is on record for this lock, engine and hardware"
        raise UsageError(said, hint=f"run assay run {lock.name}")
    engine = str(session.require_engine(lock).identity.digest)
    ids, machine = tuple(run.id for run in runs), str(session.hardware.digest)
    return Accepted(lock.name, str(lock.digest), engine, machine, ids, owner, reason, datetime.now(UTC))


def baselines(session: Session, name: str) -> Sequence[Accepted]:
    """Return the baselines of a model on this class of hardware, newest first: the first is the one that counts."""
    return baselines_of(session.project.database, name, str(session.hardware.digest))


def baseline_of(session: Session, lock: Lockfile) -> Baseline | None:
    """Return the baseline to compare a lock with; None where there is none. Raises as ``recorded_lock`` does."""
    found = baselines(session, lock.name)
    if not found:
        return None
    newest = found[0]
    runs = runs_by_id(session.project.database, newest.run_ids)
    before = recorded_lock(session, newest.lock_digest)
    side = Side(f"{lock.name} (baseline)", before, tuple(runs))
    return Baseline(side, newest.accepted.date().isoformat(), newest.reason)
