from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.compare.model import Change
from pipeline.core.errors import DigestMismatch, UsageError
from pipeline.core.project import Project
from pipeline.flow.comparing import compare_recorded
from pipeline.flow.history import recorded_lock, recorded_run
from pipeline.flow.locking import make_lock
from pipeline.flow.session import Session
from pipeline.flow.stages import do, jobs_of, recorded
from pipeline.record.access import writing
from pipeline.record.model import Run
from tests.projects import edit


@pytest.fixture
def session(tested: Project) -> Session:
    return Session(tested)


def run_of(session: Session, stage: str) -> Run:
    return next(run for run in recorded(session, session.current("small")) if run.key.stage == stage)


def test_a_spec_against_itself_shows_no_difference(session: Session) -> None:
    found = compare_recorded(session, "small", "small")
    assert found.verdict is Change.NOT_SHOWN
    assert [(task.stage, task.name) for task in found.tasks] == [("check", "greeting"), ("eval", "few")]
    assert all(task.n == task.ties and not task.obstacles for task in found.tasks)
    only = compare_recorded(session, "small", "small", suites=["few"])
    assert [task.name for task in only.tasks] == ["few"]


def test_runs_are_named_by_their_ids(session: Session) -> None:
    before = run_of(session, "eval")
    (again,) = do(session, jobs_of(session, session.current("small"), ["eval"]), force=True)
    found = compare_recorded(session, before.id, again.run.id)
    (task,) = found.tasks
    assert (task.run_a, task.run_b) == (before.id, again.run.id)
    assert (task.n, task.difference) == (4, 0.0)
    assert found.a == f"small ({before.id})"


def test_a_run_against_a_spec_takes_its_suite_alone(session: Session) -> None:
    found = compare_recorded(session, run_of(session, "eval").id, "small")
    assert [task.name for task in found.tasks] == ["few"]
    assert found.only_b == ("check greeting",)


def test_what_is_not_there_is_said(session: Session) -> None:
    with pytest.raises(UsageError, match="no run '20260101T000000-00000000'"):
        compare_recorded(session, "20260101T000000-00000000", "small")
    with pytest.raises(UsageError, match="other is not on record for small; there is: few, greeting"):
        compare_recorded(session, "small", "small", suites=["other"])
    with pytest.raises(UsageError, match="no suite is on record for both: few; greeting"):
        compare_recorded(session, run_of(session, "eval").id, run_of(session, "check").id)


def test_a_spec_that_was_never_run_has_nothing_to_compare(project: Project) -> None:
    with pytest.raises(UsageError, match="no check and no eval of small") as caught:
        compare_recorded(Session(project), "small", "small")
    assert caught.value.hint == "run assay run small"


def test_a_recorded_lock_outlives_its_file(session: Session) -> None:
    run = run_of(session, "eval")
    path = Path(session.project.lockfiles / "small.lock.json")
    lock = session.current("small")
    path.unlink()
    assert recorded_lock(session, run.key.lock_digest) == lock
    assert recorded_run(session, run.id) == run
    with pytest.raises(UsageError, match="is not on record"):
        recorded_lock(session, "sha256:" + "0" * 64)


def test_a_recorded_lock_that_was_changed_is_no_lock(session: Session) -> None:
    run = run_of(session, "eval")
    content = recorded_lock(session, run.key.lock_digest).content()
    with writing(session.project.database) as connection:
        changed = json.dumps({**content, "argv": ["--other"]})
        connection.execute("UPDATE models SET content = ? WHERE lock_digest = ?", (changed, run.key.lock_digest))
    with pytest.raises(DigestMismatch, match="not what its digest says"):
        recorded_lock(session, run.key.lock_digest)
    with writing(session.project.database) as connection:
        connection.execute("UPDATE models SET content = '{\"lock_version\": 9}'")
    with pytest.raises(UsageError, match="can't be read: lock_version"):
        recorded_lock(session, run.key.lock_digest)


def test_a_lock_of_before_is_named_by_its_digest(session: Session) -> None:
    before = session.current("small")
    edit(session.project.specs / "small.yaml", "slots: 2", "slots: 1")
    after = make_lock(session, "small").lock
    assert after.digest != before.digest
    do(session, jobs_of(session, after, ["eval"]))
    found = compare_recorded(session, str(before.digest)[:17], "small")
    assert (found.lock_a, found.lock_b) == (str(before.digest), str(after.digest))
    assert found.verdict is Change.NOT_SHOWN and [task.name for task in found.tasks] == ["few"]
    assert found.only_a == ("check greeting",)
    with pytest.raises(UsageError, match="no locks on record begin with sha256:000000"):
        compare_recorded(session, "sha256:000000", "small")
