"""Kinds of eval that ask the server, through the whole flow: the locked llama-server, the record, and its key."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace

import pytest

from pipeline.core.errors import SpecError
from pipeline.core.project import Project
from pipeline.evals.engine import load_suite
from pipeline.flow.locking import make_lock
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.flow.stages import do, jobs_of, perform, recorded
from tests.flow.test_scoring import kept
from tests.projects import alive, descendants, edit, start, stop, until

ASKED = """\
kind: generate
version: "1"
description: Two capitals, and one that is no question.
license: CC0-1.0
source: written for this test
match: contains
max_tokens: 24
data: items.csv
"""
ITEMS = """\
id,skill,question,answer
a,capitals,What is the capital of France?,"[""Paris""]"
b,capitals,What is the capital of Italy?,"[""Rome""]"
c,long,{long},"[""x""]"
"""


@pytest.fixture
def asking(project: Project) -> Project:
    folder = project.suites / "asked"
    folder.mkdir()
    (folder / "suite.yaml").write_text(ASKED)
    (folder / "items.csv").write_text(ITEMS.replace("{long}", "word " * 3000))
    edit(project.specs / "small.yaml", "evals: [few]", "evals: [asked]")
    edit(project.specs / "small.yaml", "few.acc: {min: 0}", "asked.acc: {min: 0.5}")
    session = Session(project)
    make_lock(session, "small")
    fetch_all(session, [session.current("small")])
    return project


def test_answers_are_recorded_and_come_back_as_they_were(asking: Project) -> None:
    session = Session(asking)
    lock = session.current("small")
    (done,) = do(session, jobs_of(session, lock, ["eval"]))
    (run,) = recorded(session, lock)
    assert run.result == done.run.result and run.outputs_digest == done.run.outputs_digest
    evaluation = run.result.evaluation
    assert evaluation is not None
    assert [item.detail["verdict"] for item in evaluation.items] == ["right", "right", "unknown"]
    assert {metric.name: metric.value for metric in evaluation.metrics}["at_once"] == 2
    assert "--ctx-size" in run.argv, "the server's own arguments"
    assert all(item.detail["digest"].startswith("sha256:") for item in evaluation.items)
    (again,) = do(session, jobs_of(session, lock, ["eval"]))
    assert again.reused


def test_a_faulty_item_is_told_with_its_line_when_it_is_locked(asking: Project) -> None:
    items = asking.suites / "asked" / "items.csv"
    items.write_text(items.read_text().replace('"[""Rome""]"', ""))
    with pytest.raises(SpecError, match=r"items\.csv:3:1: answer: "):
        make_lock(Session(asking), "small")
    with pytest.raises(SpecError, match=r"items\.csv:3:1: answer: "):
        load_suite(asking.suites / "asked")


def test_answers_are_kept_so_that_a_killed_eval_goes_on_and_another_judge_asks_nothing(asking: Project) -> None:
    folder, count = asking.suites / "asked", 120
    edit(folder / "suite.yaml", "items.csv", "items.jsonl\nat_once: 1")
    lines = [
        json.dumps({"id": str(n), "question": f"What is the capital of France? (Question {n})", "answer": ["Paris"]})
        for n in range(count)
    ]
    (folder / "items.jsonl").write_text("\n".join(lines))
    session = Session(asking)
    lock = make_lock(session, "small").lock
    process = start("eval", "small", project=asking)
    try:
        until(lambda: kept(asking) > 2)
        victims = descendants(process.pid)
        for pid in (process.pid, *victims):
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(map(alive, victims)))
    finally:
        stop(process)
    before = kept(asking)
    assert 2 < before < count
    [job] = jobs_of(session, lock, ["eval"])
    whole = perform(session, replace(job, resume=False))
    assert kept(asking) == before, "what is to be fresh neither takes answers nor keeps them"
    [resumed] = do(session, [job])
    assert resumed.run.outputs_digest == whole.outputs_digest and resumed.run.result == whole.result
    assert kept(asking) == count

    edit(folder / "suite.yaml", "match: contains", "match: exact")
    [judged] = do(session, jobs_of(session, make_lock(session, "small").lock, ["eval"]))
    assert kept(asking) == count, "the same answers"
    assert not judged.reused and judged.run.result != whole.result
