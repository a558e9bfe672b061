from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.errors import UsageError
from pipeline.evals.model import EvalResult, Item
from pipeline.record.model import Run, StageResult
from pipeline.report.logs import jsonl
from pipeline.report.logs._base import Logged, log_for, rows
from tests import factories as make
from tests.report.samples import HOSTILE

LOCK = make.lock()


def run_of(*items: Item) -> Run:
    result = EvalResult("tiny-choice", "multiple_choice", (), items)
    return make.run(LOCK, "eval", "tiny-choice", StageResult(evaluation=result))


def test_a_line_an_item_with_its_digests_and_all_of_its_detail(tmp_path: Path) -> None:
    logs = [Logged(run, LOCK) for run in make.sound_runs(LOCK) if run.key.stage in ("check", "eval")]
    jsonl.write(logs, tmp_path / "items.jsonl")
    read = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    assert len(read) == 3 + 2 + 2 + 54
    first = next(row for row in read if row["suite"] == "tiny-choice")
    assert (first["item"], first["score"], first["verdict"]) == ("q000", 1.0, "right")
    assert first["answer"] == "2" and first["prompt"].startswith("What is 0 + 2?")
    assert first["lock_digest"] == str(LOCK.digest) and first["started"].endswith("+00:00")
    assert first["detail"]["choices"][0]["logprob"] == pytest.approx(-0.93)
    window = next(row for row in read if row["suite"] == "tiny-perplexity")
    assert (window["score"], window["verdict"]) == (1.05, "")
    assert {row["verdict"] for row in read if row["stage"] == "check"} == {"right"}


def test_unknown_has_no_score_and_hidden_characters_are_escaped(tmp_path: Path) -> None:
    run = run_of(
        Item("a", 0.0, {"verdict": "unknown", "reason": "cut off"}),
        Item("b", math.nan),
        Item("c", 1.0, {"prompt": HOSTILE}),
    )
    jsonl.write([Logged(run, LOCK)], tmp_path / "x.jsonl")
    text = (tmp_path / "x.jsonl").read_text()
    assert text.isascii()
    read = [json.loads(line) for line in text.splitlines()]
    assert [row["score"] for row in read] == [None, None, 1.0]
    assert read[2]["prompt"] == HOSTILE


def test_cases_that_could_not_be_judged_have_no_score() -> None:
    (run,) = (run for run in make.broken_runs(LOCK) if run.key.subject == "tiny-tools")
    found = {row.item: (row.score, row.verdict) for row in rows(run)}
    assert found["required"] == (0.0, "wrong")
    assert found["streaming"] == (None, "unknown")


def test_a_pick_out_of_range_is_no_answer() -> None:
    (row,) = rows(run_of(Item("a", 0.0, {"choices": [{"text": "x"}], "picked": 3})))
    assert row.answer == ""


def test_the_end_of_the_name_says_the_format() -> None:
    assert log_for(Path("x/Y.JSONL")).SUFFIX == "jsonl"
    for name in ("items", "items.xlsx"):
        with pytest.raises(UsageError, match=r"no format") as caught:
            log_for(Path(name))
        assert caught.value.hint == "end it with one of: .csv, .json, .jsonl, .parquet"


def test_outcomes_of_another_run_keep_their_run(tmp_path: Path) -> None:
    run = run_of(Item("a", 1.0))
    jsonl.write([Logged(run, LOCK), Logged(replace(run, id="second"), LOCK)], tmp_path / "x.jsonl")
    read = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [row["run"] for row in read] == [run.id, "second"]
