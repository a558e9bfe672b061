"""A bill of materials with what is on record: from the lock, the runs and the decision to one document."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pipeline.export._results import Number, Shown, numbers, render_with
from pipeline.flow.decided import decision_on_record
from pipeline.flow.session import Session
from pipeline.flow.stages import recorded
from pipeline.gate.decide import current
from pipeline.gate.metrics import measured
from pipeline.lock.model import Lockfile
from pipeline.record.model import Run
from pipeline.record.rates import tallies
from pipeline.spec.load import read_model
from pipeline.spec.suite import SuiteHead


def bill(session: Session, lock: Lockfile) -> str:
    """Return a CycloneDX 1.7 document of a lock with its results on this engine and hardware. Nothing is run or judged anew."""
    engine, machine = session.require_engine(lock).identity, session.hardware
    runs = current(lock, str(engine.digest), str(machine.digest), recorded(session, lock))
    shown = Shown(
        numbers=numbers([*_measured(runs), *_rates(runs)]),
        engine_digest=str(engine.digest),
        hardware_digest=str(machine.digest),
        engine=engine.content(),
        hardware=machine.content(),
        suites={name: _about(session, name) for name in lock.suites},
        runs=tuple(run.id for run in runs),
        decision=decision_on_record(session, lock),
    )
    return render_with(lock, shown)


def _measured(runs: list[Run]) -> Iterator[Number]:
    for one in measured(runs):
        if one.value is not None and math.isfinite(one.value):
            suite, _, metric = one.name.partition(".")
            yield Number(metric, f"{suite} {one.test}".strip(), one.value, one.unit, one.low, one.high)


def _rates(runs: list[Run]) -> Iterator[Number]:
    """Yield the share of passed trials of each group of a check suite."""
    for run in runs:
        for tally in tallies(run.result.outcomes) if run.key.stage == "check" else ():
            if tally.rate is not None:
                yield Number("pass rate", f"{run.key.subject} {tally.group}", tally.rate, "share", *tally.interval)


def _about(session: Session, name: str) -> dict[str, str]:
    head = read_model(session.project.suites / name / "suite.yaml", SuiteHead)
    return {"license": head.license, "source": head.source, "description": head.description}
