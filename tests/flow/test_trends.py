from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from pipeline.bench.model import BenchRow
from pipeline.core.project import Project
from pipeline.flow.baseline import accept
from pipeline.flow.judge import report_of
from pipeline.flow.session import Session
from pipeline.flow.stages import recorded
from pipeline.record.model import StageResult


def test_a_report_compares_with_the_baseline_and_follows_speeds(assayed: Project) -> None:
    session = Session(assayed)
    lock = session.current("small")
    before = report_of(session, lock)
    assert before.baseline is None and before.trends == ()
    accept(session, lock, reason="first", owner="ada")
    bench = next(run for run in recorded(session, lock) if run.key.stage == "bench")
    for number in range(1, 17):
        rows = (BenchRow("engine", "tg9", "decode_tok_s", 500.0 if number > 8 else 900.0 + number % 3, "tok/s"),)
        started = bench.started + timedelta(days=number)
        session.recorder.add(replace(bench, id=f"again-{number}", started=started, result=StageResult(bench=rows)))
    report = report_of(session, lock)
    assert report.baseline is not None and report.baseline.reason == "first"
    assert {task.verdict.value for task in report.baseline.comparison.tasks} == {"no difference shown"}
    (trend,) = [one for one in report.trends if one.name == "bench.decode_tok_s@tg9"]
    assert len(trend.values) == 16 and trend.changes == (8,)
