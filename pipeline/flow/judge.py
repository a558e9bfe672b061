"""Gate and report: from what is on record to a decision, and to the files that show it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

from pipeline import __version__
from pipeline.core.files import atomic_write
from pipeline.flow.session import Session
from pipeline.flow.stages import recorded
from pipeline.gate.decide import current, decide
from pipeline.lock.model import Lockfile
from pipeline.record.model import Decision
from pipeline.record.read import decisions_of
from pipeline.report.build import build
from pipeline.report.model import Report
from pipeline.report.render import formats, render


def judge(session: Session, lock: Lockfile) -> Decision:
    """Decide on a lock from its runs on record. The same verdict on the same runs is recorded once."""
    engine = str(session.require_engine(lock).identity.digest)
    machine = str(session.hardware.digest)
    now = datetime.now(UTC)
    id = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    decision = decide(lock, engine, machine, recorded(session, lock), now, id)
    before = decisions_of(session.project.database, str(lock.digest), engine, machine)
    if before and _same(before[0], decision):
        return before[0]
    session.recorder.add_decision(decision)
    return decision


def report_of(session: Session, lock: Lockfile) -> Report:
    """Return the report of a lock on this engine and hardware, decided now."""
    decision = judge(session, lock)
    identity = session.require_engine(lock).identity
    engine, machine = str(identity.digest), str(session.hardware.digest)
    return build(
        lock,
        current(lock, engine, machine, recorded(session, lock)),
        decision,
        engine_digest=engine,
        hardware_digest=machine,
        engine=identity.content(),
        hardware=session.hardware.content(),
        generated=datetime.now(UTC),
        version=__version__,
    )


def write_reports(session: Session, report: Report) -> list[Path]:
    """Write a report in every format to ``reports/``; returns the files."""
    written = []
    for name, module in formats().items():
        path = session.project.reports / f"{report.lock.name}.{module.SUFFIX}"
        atomic_write(path, render(report, name))
        written.append(path)
    return written


def _same(one: Decision, other: Decision) -> bool:
    return (one.accepted, one.reasons, one.run_ids) == (other.accepted, other.reasons, other.run_ids)
