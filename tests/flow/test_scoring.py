from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.errors import LockOutOfDate, UsageError
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock, make_locks
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.flow.stages import do, jobs_of, perform
from pipeline.lock.load import read_lock
from tests.projects import SPEC, alive, command_of, descendants, edit, make_project, start, stop, until

MODELS = Path(__file__).parents[2] / "models" / "tiny-chat"
DRIFT = """\
kind: kl_divergence
version: "1"
description: How far the quantized weights are from the ones they were made of.
license: CC0-1.0
source: written for this test
text: text.txt
context: 128
"""


@pytest.fixture
def own(tmp_path: Path) -> Project:
    """A project that a test may change."""
    return make_project(tmp_path / "project", MODELS / "tiny-chat-q8_0.gguf")


@pytest.fixture
def compared(own: Project) -> Project:
    """``small`` with ``large``, the F16 that it was made of, as its reference."""
    root = own.root
    shutil.copy(MODELS / "tiny-chat-f16.gguf", root / "models" / "large.gguf")
    large = SPEC.replace("name: small", "name: large").replace("small.gguf", "large.gguf")
    (root / "specs" / "large.yaml").write_text(large)
    (root / "evals" / "drift").mkdir()
    (root / "evals" / "drift" / "suite.yaml").write_text(DRIFT)
    text = (Path(__file__).parents[2] / "evals" / "plain-text" / "text.txt").read_text()
    (root / "evals" / "drift" / "text.txt").write_text(text[:1500])
    edit(root / "specs" / "small.yaml", "evals: [few]", "evals: [few, drift]\nreference: large")
    return own


def test_a_model_is_compared_with_the_weights_that_its_lock_names(compared: Project) -> None:
    session = Session(compared)
    small, large = (locked.lock for locked in make_locks(session, ["small", "large"]))
    assert small.reference and small.reference.weights == (large.weights.sha256,)
    assert "reference" not in large.content()
    fetch_all(session, [small])
    jobs = [job for job in jobs_of(session, small, ["eval"]) if job.key.subject == "drift"]
    [done] = do(session, jobs)
    assert done.run.result.evaluation
    metrics = {metric.name: metric.value for metric in done.run.result.evaluation.metrics}
    assert 0 < metrics["kld"] < 0.1 and metrics["kld"] <= metrics["kld_bound"]
    assert 0.9 < metrics["same_top"] <= 1


def test_other_weights_of_the_reference_make_the_lock_stale(compared: Project) -> None:
    session = Session(compared)
    with pytest.raises(UsageError, match="names large as its reference: no lock for large") as raised:
        make_lock(session, "small")
    assert raised.value.hint == "run assay lock large first"
    make_locks(session, ["small", "large"])
    session.current("small")
    shutil.copy(MODELS / "tiny-chat-q8_0.gguf", compared.root / "models" / "large.gguf")
    make_lock(session, "large", upgrade=True)
    small = read_lock(compared, "small")
    with pytest.raises(LockOutOfDate, match=r"reference\.weights"):
        session.current("small")
    fetch_all(session, [small])
    [job] = [job for job in jobs_of(session, small, ["eval"]) if job.key.subject == "drift"]
    with pytest.raises(LockOutOfDate, match="large is not the reference that small locks"):
        perform(session, job)
    (compared.lockfiles / "large.lock.json").unlink()
    assert session.current("small") == small  # a machine that only serves has no lock of the reference


def test_a_suite_that_compares_is_refused_without_a_reference(compared: Project) -> None:
    edit(compared.specs / "small.yaml", "\nreference: large", "")
    with pytest.raises(UsageError, match="the suite drift compares with a reference, and the spec names none"):
        make_lock(Session(compared), "small")


def test_a_model_is_not_its_own_reference(compared: Project) -> None:
    edit(compared.specs / "small.yaml", "reference: large", "reference: small")
    with pytest.raises(UsageError, match="names itself as its reference"):
        make_lock(Session(compared), "small")


def test_an_eval_that_was_killed_goes_on_and_gives_the_same_bits(own: Project) -> None:
    folder = own.suites / "few"
    rows = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    many = [
        json.dumps({**rows[i % 4], "id": f"{i}", "question": f"{i}. {rows[i % 4]['question']}"}) for i in range(400)
    ]
    (folder / "items.jsonl").write_text("\n".join(many))
    session = Session(own)
    lock = make_lock(session, "small").lock
    fetch_all(session, [lock])
    process = start("eval", "small", project=own)
    try:
        until(lambda: kept(own) > 2)
        victims = descendants(process.pid)
        assert any("pipeline.fleet.worker" in command_of(pid) for pid in victims)
        for pid in (process.pid, *victims):
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(map(alive, victims)))
    finally:
        stop(process)
    before = kept(own)
    [job] = jobs_of(session, lock, ["eval"])
    [resumed] = do(session, [job])
    assert kept(own) > before > 2
    whole = perform(session, replace(job, resume=False))
    assert resumed.run.outputs_digest == whole.outputs_digest
    assert resumed.run.result == whole.result


def kept(project: Project) -> int:
    """How many packs were kept."""
    if not project.scores.is_file():
        return 0
    with sqlite3.connect(project.scores, timeout=30) as file:
        try:
            return int(file.execute("SELECT count(*) FROM packs").fetchone()[0])
        except sqlite3.OperationalError:
            return 0
