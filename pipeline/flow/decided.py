"""What the gate decided before, as it is on record."""

from __future__ import annotations

from pipeline.core.project import Project
from pipeline.flow.session import Session
from pipeline.lock.model import Lockfile
from pipeline.record.model import Decision
from pipeline.record.read import decisions_of, runs_by_id
from pipeline.spec.policy import Policy


def decision_on_record(session: Session, lock: Lockfile) -> Decision | None:
    """Return the newest decision on a lock for this engine and hardware, by the policy of now; None where there is none."""
    found = decisions_of(session.project.database, str(lock.digest), *here(session, lock))
    return found[0] if found and same_policy(found[0], session.policy) else None


def same_policy(decision: Decision, policy: Policy) -> bool:
    """Tell whether a decision was made by this policy."""
    return decision.spec_gates.get("policy") == (None if policy.mode == "off" else policy.content())


def here(session: Session, lock: Lockfile) -> tuple[str, str]:
    """Return the digests of the engine and of the class of hardware that decisions are made for. Raises EngineError."""
    return str(session.require_engine(lock).identity.digest), str(session.hardware.digest)


def evidence(project: Project, decision: Decision) -> dict[str, str]:
    """Return the digests of the runs that a decision rests on, as they are on record."""
    return {run.id: run.digest for run in runs_by_id(project.database, decision.run_ids)}
