from __future__ import annotations

import json

from pipeline.core.project import Project
from pipeline.flow.judge import judge, report_of, write_reports
from pipeline.flow.session import Session
from pipeline.flow.stages import do, jobs_of
from pipeline.record.read import decisions_of


def decisions(session: Session) -> list[str]:
    lock = session.current("small")
    engine, machine = str(session.engine.identity.digest), str(session.hardware.digest)
    return [decision.id for decision in decisions_of(session.project.database, str(lock.digest), engine, machine)]


def test_the_same_verdict_on_the_same_runs_is_recorded_once(assayed: Project) -> None:
    session = Session(assayed)
    lock = session.current("small")
    first = decisions(session)
    assert len(first) == 1
    assert judge(session, lock).id == judge(session, lock).id == first[0]
    assert report_of(session, lock).decision == judge(session, lock)
    assert decisions(session) == first

    do(session, jobs_of(session, lock, ["lint"]), force=True)
    newer = judge(session, lock)
    assert newer.accepted and newer.id != first[0]
    assert decisions(session) == [newer.id, *first]


def test_without_results_nothing_is_accepted(project: Project) -> None:
    session = Session(project)
    decision = judge(session, session.current("small"))
    assert not decision.accepted
    assert {reason.verdict for reason in decision.reasons} == {"unknown"}


def test_reports_of_this_decision_stay_unless_asked_for_again(assayed: Project) -> None:
    session = Session(assayed)
    report = report_of(session, session.current("small"))
    paths = [assayed.reports / f"small.{kind}" for kind in ("html", "json", "md")]
    for path in paths:
        path.touch()

    def made_again(again: bool) -> set[bool]:
        before = {path: path.stat().st_ino for path in paths if path.exists()}
        assert sorted(write_reports(session, report, again=again)) == paths
        return {path.stat().st_ino != before.get(path) for path in paths}

    assert made_again(False) == {False}
    assert made_again(True) == {True}
    paths[0].unlink()
    assert made_again(False) == {True}
    content = json.loads(paths[1].read_bytes())
    paths[1].write_text(json.dumps({**content, "decision": {**content["decision"], "id": "another"}}))
    assert made_again(False) == {True}
    paths[1].write_text("no JSON")
    assert made_again(False) == {True}
