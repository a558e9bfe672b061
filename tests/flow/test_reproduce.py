from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from pipeline.core.errors import AssayError, DigestMismatch, EngineError, LockOutOfDate, UsageError
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock, make_locks
from pipeline.flow.prepare import fetch_all
from pipeline.flow.reproduce import reproduce
from pipeline.flow.session import Session
from pipeline.flow.stages import do, jobs_of, recorded
from pipeline.record.access import writing
from pipeline.record.model import Run
from pipeline.record.read import run_by_id
from tests.flow.test_scoring import DRIFT, MODELS
from tests.projects import SPEC, edit

SAY = """\
kind: generate
version: "1"
license: CC0-1.0
source: written for this test
description: What it says.
match: exact
max_tokens: 12
at_once: 1
data: items.jsonl
"""


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


def test_what_a_model_wrote_is_compared_by_digest(project: Project) -> None:
    (project.suites / "few" / "suite.yaml").write_text(SAY)
    rows = [
        {"id": land, "skill": "s", "question": f"What is the capital of {land}?", "answer": "x"}
        for land in ("Italy", "Spain")
    ]
    (project.suites / "few" / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))
    session = Session(project)
    lock = make_lock(session, "small").lock
    fetch_all(session, [lock])
    (done,) = do(session, jobs_of(session, lock, ["eval"]))
    assert reproduce(session, done.run.id).same

    with writing(project.database) as connection:
        (text,) = connection.execute("SELECT detail FROM eval_items WHERE item = 'Italy'").fetchone() or ("",)
        detail = {**json.loads(text), "digest": "sha256:another"}
        connection.execute("UPDATE eval_items SET detail = ? WHERE item = 'Italy'", (json.dumps(detail),))
        connection.execute("UPDATE metrics SET value = 2 WHERE name = 'at_once'")
    made = reproduce(session, done.run.id)
    output, together = made.differences
    assert (output.sort, output.id, output.before, output.flipped) == ("output", "Italy", "sha256:another", False)
    assert (together.sort, together.id) == ("metric", "at_once")
    assert "2 requests shared the server" in made.notes[0]


def test_a_divergence_wants_the_reference_that_it_was_measured_from(project: Project) -> None:
    root = project.root
    shutil.copy(MODELS / "tiny-chat-f16.gguf", root / "models" / "large.gguf")
    large = SPEC.replace("name: small", "name: large").replace("small.gguf", "large.gguf")
    (root / "specs" / "large.yaml").write_text(large)
    (root / "evals" / "drift").mkdir()
    (root / "evals" / "drift" / "suite.yaml").write_text(DRIFT)
    text = (MODELS.parents[1] / "evals" / "plain-text" / "text.txt").read_text()
    (root / "evals" / "drift" / "text.txt").write_text(text[:1000])
    edit(root / "specs" / "small.yaml", "evals: [few]", "evals: [drift]\nreference: large")
    session = Session(project)
    lock = make_locks(session, ["large", "small"])[1].lock
    fetch_all(session, [lock])
    (done,) = do(session, jobs_of(session, lock, ["eval"]))
    made = reproduce(session, done.run.id)
    assert made.same and made.after.outputs_digest == done.run.outputs_digest

    shutil.copy(MODELS / "tiny-chat-q8_0.gguf", root / "models" / "large.gguf")
    make_lock(session, "large", upgrade=True)
    error = refused(session, done.run.id, LockOutOfDate)
    assert f"large, which {done.run.id} was compared with" in error.message
