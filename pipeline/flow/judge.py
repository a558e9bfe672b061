"""Gate and report: from what is on record to a decision, and to the files that show it."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline import __version__
from pipeline.core.files import atomic_write
from pipeline.flow.baseline import baseline_of
from pipeline.flow.decided import here
from pipeline.flow.session import Session
from pipeline.flow.stages import recorded
from pipeline.flow.trends import against_baseline, trends_of
from pipeline.gate.decide import current, decide
from pipeline.gate.policy import Baseline
from pipeline.lock.model import Lockfile
from pipeline.record.access import keeping
from pipeline.record.model import Decision, Run
from pipeline.record.read import decisions_of
from pipeline.report.build import build
from pipeline.report.model import Report
from pipeline.report.render import formats, render


def judge(session: Session, lock: Lockfile) -> Decision:
    """Decide on a lock from its runs on record. The same verdict on the same runs is recorded once."""
    with keeping(session.project.database):
        return _judge(session, lock, recorded(session, lock), baseline_of(session, lock))


def report_of(session: Session, lock: Lockfile) -> Report:
    """Return the report of a lock on this engine and hardware, decided now."""
    with keeping(session.project.database):
        return _report_of(session, lock)


def _report_of(session: Session, lock: Lockfile) -> Report:
    runs, accepted = recorded(session, lock), baseline_of(session, lock)
    decision = _judge(session, lock, runs, accepted)
    engine, machine = here(session, lock)
    counting = tuple(current(lock, engine, machine, runs))
    report = build(
        lock,
        counting,
        decision,
        engine_digest=engine,
        hardware_digest=machine,
        engine=session.require_engine(lock).identity.content(),
        hardware=session.hardware.content(),
        generated=datetime.now(UTC),
        version=__version__,
    )
    before = against_baseline(accepted, lock, counting)
    return replace(report, baseline=before, trends=trends_of(session, lock, counting))


def write_reports(session: Session, report: Report, *, again: bool = True) -> list[Path]:
    """Write a report to ``reports/`` in each format that is written; returns the files. Those that show this very decision stay unless
    ``again``.
    """
    kinds = {name: kind for name, kind in formats().items() if kind.WRITTEN}
    paths = {name: session.project.reports / f"{report.lock.name}.{kind.SUFFIX}" for name, kind in kinds.items()}
    if again or not all(path.is_file() for path in paths.values()) or _shown(paths["json"]) != _marks(report):
        for name, path in paths.items():
            atomic_write(path, render(report, name))
    return list(paths.values())


def _judge(session: Session, lock: Lockfile, runs: list[Run], before: Baseline | None) -> Decision:
    engine, machine = here(session, lock)
    now = datetime.now(UTC)
    id = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    decision = decide(lock, engine, machine, runs, now, id, policy=session.policy, baseline=before)
    earlier = decisions_of(session.project.database, str(lock.digest), engine, machine)
    if earlier and _same(earlier[0], decision):
        return earlier[0]
    session.recorder.add_decision(decision)
    return decision


def _marks(report: Report) -> tuple[str | None, str, str]:
    before = report.baseline.comparison.tasks if report.baseline else ()
    return report.decision.id if report.decision else None, report.version, " ".join(task.run_a for task in before)


def _shown(path: Path) -> tuple[str | None, str, str]:
    """Return which decision, by which version, and which baseline a JSON report shows."""
    try:
        content = json.loads(path.read_bytes())
        before = content["baseline"]["comparison"]["tasks"] if content["baseline"] else ()
        return content["decision"]["id"], content["assay_version"], " ".join(task["run_a"] for task in before)
    except (OSError, ValueError, KeyError, TypeError):
        return None, "", ""


def _same(one: Decision, other: Decision) -> bool:
    return (one.accepted, one.reasons, one.run_ids, one.spec_gates) == (
        other.accepted,
        other.reasons,
        other.run_ids,
        other.spec_gates,
    )
