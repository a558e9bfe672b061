from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.core.errors import AssayError, DigestMismatch, EngineError, LockOutOfDate, UsageError
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.flow.stages import Done, Job, do, jobs_of, recorded
from pipeline.record.access import writing
from pipeline.record.read import query
from tests import zoo
from tests.damaged import with_nan
from tests.projects import edit, flip, make_project


def count(project: Project, table: str = "runs") -> int:
    return int(query(project.database, f"SELECT count(*) AS n FROM {table}")["n"][0])


def test_there_is_a_job_for_each_suite_and_stage_in_order(cold_project: Project) -> None:
    session = Session(cold_project)
    lock = session.current("small")
    jobs = jobs_of(session, lock)
    names = [(job.key.stage, job.key.subject) for job in jobs]
    assert names == [("lint", "lint"), ("check", "greeting"), ("eval", "few"), ("bench", "bench")]
    assert {job.key.lock_digest for job in jobs} == {str(lock.digest)}
    assert {job.key.engine_digest for job in jobs} == {str(session.engine.identity.digest)}
    assert {job.key.hardware_digest for job in jobs} == {str(session.hardware.digest)}
    assert jobs[2].key.subject_digest == lock.suites["few"].digest
    assert [job.key.stage for job in jobs_of(session, lock, ["eval"])] == ["eval"]


def test_what_is_on_record_is_not_done_again(assayed: Project) -> None:
    session, before = Session(assayed), count(assayed)
    jobs = jobs_of(session, session.current("small"))
    done = do(session, jobs)
    assert [result.reused for result in done] == [True] * 4
    assert [result.run.key for result in done] == [job.key for job in jobs]
    assert count(assayed) == before == 4


def test_force_repeats_with_the_same_outputs_and_the_newest_counts(assayed: Project) -> None:
    session = Session(assayed)
    lock = session.current("small")
    jobs = jobs_of(session, lock, ["lint", "check", "eval"])
    old, new = do(session, jobs), do(session, jobs, force=True)
    assert [result.reused for result in new] == [False] * 3
    assert not {result.run.id for result in old} & {result.run.id for result in new}
    assert [result.run.outputs_digest for result in old] == [result.run.outputs_digest for result in new]
    assert {result.run.id for result in new} <= {run.id for run in recorded(session, lock)}
    assert count(assayed) == 7


def test_a_run_carries_what_made_it(assayed: Project) -> None:
    session = Session(assayed)
    lock = session.current("small")
    runs = {run.key.stage: run for run in recorded(session, lock)}
    for stage in ("check", "bench"):
        assert {"--model", str(lock.argv[1]), "--ctx-size"} <= set(runs[stage].argv)
        assert "assay-" not in " ".join(runs[stage].argv).replace("/assay-", "")  # no key
    assert all(run.seed == 0 and run.model == "small" and run.seconds > 0 for run in runs.values())
    assert runs["check"].result.outcomes and runs["eval"].result.evaluation and runs["bench"].result.bench
    row = query(assayed.database, "SELECT count(*) AS n FROM models, engines, hardware")
    assert row["n"][0] == 1


def test_a_comment_in_the_spec_touches_nothing_and_a_value_is_another_lock(assayed: Project) -> None:
    session, spec = Session(assayed), assayed.specs / "small.yaml"
    spec.write_text("# a comment\n" + spec.read_text())
    make_lock(session, "small")
    assert all(done.reused for done in do(session, jobs_of(session, session.current("small"))))

    edit(spec, "threads: 1", "threads: 2")
    make_lock(session, "small")
    (done,) = do(session, jobs_of(session, session.current("small"), ["lint"]))
    assert not done.reused


def test_a_changed_suite_is_another_key(assayed: Project) -> None:
    session = Session(assayed)
    before = jobs_of(session, session.current("small"))
    edit(assayed.suites / "few" / "suite.yaml", "Four capitals", "4 capitals")
    make_lock(session, "small")
    after = jobs_of(session, session.current("small"))
    moved = [a.key.stage for a, b in zip(before, after, strict=True) if a.key.subject_digest != b.key.subject_digest]
    assert moved == ["eval"]
    assert recorded(session, session.current("small")) == []


def test_the_bytes_are_hashed_before_an_engine_starts(assayed: Project) -> None:
    session = Session(assayed)
    lock = session.current("small")
    flip(session.stored(lock).weights)
    assert all(done.reused for done in do(session, jobs_of(session, lock)))  # nothing starts
    with pytest.raises(DigestMismatch, match=r"other bytes than the lock names"):
        do(session, jobs_of(session, lock, ["check"]), force=True)
    assert count(assayed) == 4


def test_each_run_is_recorded_as_soon_as_it_ends(assayed: Project) -> None:
    session, heard = Session(assayed), []
    jobs = jobs_of(session, session.current("small"), ["lint", "eval"])
    shutil.rmtree(assayed.suites / "few")

    def told(job: Job, done: Done | None) -> None:
        heard.append((job.key.stage, done is not None))

    with pytest.raises(AssayError, match=r"few/suite\.yaml"):
        do(session, jobs, force=True, told=told)
    assert heard == [("lint", False), ("lint", True), ("eval", False)]
    assert count(assayed) == 5


def test_the_bytes_are_hashed_again_for_each_job(assayed: Project) -> None:
    session = Session(assayed)
    lock = session.current("small")

    def told(job: Job, done: Done | None) -> None:
        if done:
            flip(session.stored(lock).weights)

    with pytest.raises(DigestMismatch, match=r"other bytes than the lock names"):
        do(session, jobs_of(session, lock, ["lint", "eval"]), force=True, told=told)
    assert count(assayed) == 5


@pytest.mark.parametrize(("stage", "suite"), [("check", "greeting"), ("eval", "few")])
def test_a_suite_that_changes_while_it_runs_gives_no_result(assayed: Project, stage: str, suite: str) -> None:
    session = Session(assayed)
    jobs = jobs_of(session, session.current("small"), [stage])
    edit(assayed.suites / suite / "suite.yaml", 'version: "1"', 'version: "2"')
    with pytest.raises(LockOutOfDate, match=rf"evals/{suite} is not the suite that small locks"):
        do(session, jobs, force=True)
    assert count(assayed) == 4


def test_results_of_older_rules_or_another_assay_do_not_count(assayed: Project) -> None:
    session = Session(assayed)
    lock = session.current("small")
    with writing(assayed.database) as connection:
        connection.execute("UPDATE runs SET subject_digest = 'sha256:older' WHERE stage = 'lint'")
    assert [run.key.stage for run in recorded(session, lock)] == ["check", "eval", "bench"]
    with writing(assayed.database) as connection:
        connection.execute("UPDATE runs SET assay_version = '0.0.0' WHERE stage = 'check'")
    assert [run.key.stage for run in recorded(session, lock)] == ["eval", "bench"]


def test_a_template_that_is_not_text_is_an_error_in_words(project: Project) -> None:
    (project.specs / "chat.jinja").write_bytes(b"{{ messages[0].content }} caf\xe9")
    spec = project.specs / "small.yaml"
    spec.write_text(spec.read_text() + "chat: {template: chat.jinja}\n")
    session = Session(project)
    lock = make_lock(session, "small").lock
    fetch_all(session, [lock])
    with pytest.raises(UsageError, match=r"not UTF-8 text: byte 29"):
        do(session, jobs_of(session, lock, ["lint"]))


@pytest.mark.parametrize(("stage", "where"), [("check", "small, check greeting: "), ("eval", "small, eval few: ")])
def test_weights_that_give_no_numbers_give_no_result_and_it_is_said_where(
    tmp_path: Path, tiny_chat: Path, stage: str, where: str
) -> None:
    project = make_project(tmp_path / "project", with_nan(tiny_chat, tmp_path / "nan.gguf"))
    session = Session(project)
    lock = session.current("small")
    fetch_all(session, [lock])
    with pytest.raises(EngineError) as caught:
        do(session, jobs_of(session, lock, [stage]))
    assert caught.value.message.startswith(where) and "not numbers" in caught.value.message
    assert not recorded(session, lock)


def test_what_llama_bench_can_not_load_is_measured_through_the_server_alone(tmp_path: Path) -> None:
    zoo.DEFECTS["pre-unknown"].make(tmp_path / "broken.gguf")
    project = make_project(tmp_path / "project", tmp_path / "broken.gguf")
    edit(project.specs / "small.yaml", "threads: 1", "threads: 1, overrides: {tokenizer.ggml.pre: qwen2}")
    session = Session(project)
    lock = make_lock(session, "small").lock
    fetch_all(session, [lock])
    (done,) = do(session, jobs_of(session, lock, ["bench"]))
    rows = {row.metric: row for row in done.run.result.bench}
    assert rows["prefill_tok_s"].value is None and "knows no overrides" in rows["prefill_tok_s"].reason
    assert rows["peak_memory_bytes"].value
    assert "knows no overrides" in rows["service_share_of_engine"].reason or rows["ttft_ms"].inconclusive
