from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.core.errors import AssayError, DigestMismatch, EngineError, LockOutOfDate, UsageError
from pipeline.core.project import Project
from pipeline.flow.reproduce import reproduce
from pipeline.flow.session import Session
from pipeline.flow.stages import recorded
from pipeline.record.access import writing
from pipeline.record.model import Run
from pipeline.record.read import run_by_id
from tests.projects import edit


@pytest.fixture
def session(tested: Project) -> Session:
    return Session(tested)


def run_of(session: Session, stage: str) -> Run:
    return next(run for run in recorded(session, session.current("small")) if run.key.stage == stage)


def refused(session: Session, id: str, kind: type[AssayError]) -> AssayError:
    with pytest.raises(kind) as caught:
        reproduce(session, id)
    assert caught.value.exit_code == kind.exit_code
    return caught.value


def test_scores_are_the_same_bit_for_bit(session: Session) -> None:
    run = run_of(session, "eval")
    made = reproduce(session, run.id)
    assert made.same and made.count == 4 and made.notes == ()
    assert made.after.id != run.id
    assert made.after.outputs_digest == run.outputs_digest
    assert run.result.evaluation and made.after.result.evaluation
    assert [item.score for item in run.result.evaluation.items] == [
        item.score for item in made.after.result.evaluation.items
    ]
    assert run_by_id(session.project.database, made.after.id) is None  # nothing is recorded


@pytest.mark.parametrize("stage", ["lint", "check"])
def test_findings_and_answers_are_the_same_too(session: Session, stage: str) -> None:
    run = run_of(session, stage)
    made = reproduce(session, run.id)
    assert made.same
    assert made.after.outputs_digest == run.outputs_digest


def test_a_lock_that_is_gone_is_taken_from_the_record(session: Session) -> None:
    run = run_of(session, "eval")
    (session.project.lockfiles / "small.lock.json").unlink()
    (session.project.specs / "small.yaml").unlink()
    assert reproduce(Session(session.project), run.id).same


def test_what_differs_is_told_item_by_item(session: Session) -> None:
    run = run_of(session, "eval")
    with writing(session.project.database) as connection:
        sql = "SELECT score, detail FROM eval_items WHERE item = 'Italy'"
        score, text = connection.execute(sql).fetchone() or (0.0, "")
        detail = json.loads(text)
        detail["choices"][1]["logprob"] -= 0.5
        change = "UPDATE eval_items SET score = ?, detail = ? WHERE item = 'Italy'"
        connection.execute(change, (1 - score, json.dumps(detail)))
    made = reproduce(session, run.id)
    assert not made.same
    (found,) = made.differences
    assert (found.sort, found.id, found.before, found.after, found.flipped) == ("item", "Italy", 1 - score, score, True)
    assert found.largest == pytest.approx(0.5)


def test_another_machine_or_version_is_said(session: Session) -> None:
    run = run_of(session, "eval")
    with writing(session.project.database) as connection:
        connection.execute("UPDATE runs SET hardware_digest = 'sha256:other', assay_version = '0.0.1'")
    made = reproduce(session, run.id)
    assert made.same
    assert made.notes[0].startswith("another machine: made on sha256:other")
    assert made.notes[1].startswith("another Assay: 0.0.1 then")


def test_without_its_engine_a_run_is_refused(session: Session) -> None:
    run = run_of(session, "eval")
    with writing(session.project.database) as connection:
        connection.execute("UPDATE runs SET engine_digest = 'sha256:other'")
    error = refused(session, run.id, EngineError)
    assert (
        f"{run.id} was made by the engine sha256:other; this one is {session.engine.identity.digest}" in error.message
    )


def test_without_its_blobs_a_run_is_refused(session: Session) -> None:
    run = run_of(session, "eval")
    blob = session.store.path(session.current("small").weights.digest)
    blob.unlink()
    error = refused(session, run.id, DigestMismatch)
    assert f"sha256:{blob.name}  small.gguf" in error.message


def test_without_its_suite_a_run_is_refused(session: Session) -> None:
    run = run_of(session, "eval")
    edit(session.project.suites / "few" / "items.jsonl", "capital of Italy?", "capital of  Italy?")
    error = refused(session, run.id, LockOutOfDate)
    assert f"the run wants {run.key.subject_digest} (version 1)" in error.message
    (session.project.suites / "few" / "suite.yaml").unlink()
    assert "evals/few is not there" in refused(session, run.id, LockOutOfDate).message


def test_under_other_rules_a_lint_is_refused(session: Session) -> None:
    run = run_of(session, "lint")
    with writing(session.project.database) as connection:
        connection.execute("UPDATE runs SET subject_digest = 'sha256:other' WHERE stage = 'lint'")
    assert "linted by other rules" in refused(session, run.id, UsageError).message


def test_a_benchmark_is_not_repeated_and_an_unknown_run_is_none(session: Session) -> None:
    lint = run_of(session, "lint")
    bench = replace(lint, id="20260101T000000-0000000b", key=replace(lint.key, stage="bench", subject="bench"))
    session.recorder.add(bench)
    assert "times are never the same twice" in refused(session, bench.id, UsageError).message
    assert "no run 'x'" in refused(session, "x", UsageError).message
