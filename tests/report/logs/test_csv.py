from __future__ import annotations

import csv as standard
import json
from pathlib import Path

import pandas as pd

from pipeline.evals.model import EvalResult, Item
from pipeline.record.model import StageResult
from pipeline.report.logs import csv
from pipeline.report.logs._base import Logged
from tests import factories as make
from tests.report.samples import HOSTILE

LOCK = make.lock()


def test_a_row_an_item_with_its_digests_read_back_by_pandas(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    csv.write([Logged(run, LOCK) for run in make.sound_runs(LOCK) if run.key.stage in ("check", "eval")], path)
    read = pd.read_csv(path, dtype={"answer": str})
    assert read.groupby("suite").size().to_dict() == {
        "tiny-choice": 54,
        "tiny-perplexity": 2,
        "tiny-stop": 3,
        "tiny-tools": 2,
    }
    row = read[read["item"] == "q003"].iloc[0]
    assert (row["score"], row["verdict"], row["answer"]) == (1.0, "right", "5")
    assert row["lock_digest"] == str(LOCK.digest) and row["started"].startswith("2026-03-14T09:26:58")
    assert json.loads(row["detail"])["picked"] == 0


def test_a_spreadsheet_finds_no_formula_and_nothing_hidden(tmp_path: Path) -> None:
    items = (Item("=1+1", 0.5, {"prompt": HOSTILE, "answer": "@SUM(A1)"}), Item("b", float("nan"), {}))
    run = make.run(LOCK, "eval", "tiny-choice", StageResult(evaluation=EvalResult("tiny-choice", "k", (), items)))
    csv.write([Logged(run, LOCK)], tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(newline="") as file:
        first, second = standard.DictReader(file)
    assert (first["item"], first["answer"], first["score"]) == ("'=1+1", "'@SUM(A1)", "0.5")
    assert "\u202e" not in first["prompt"] and "\\u202e" in first["prompt"]
    assert (second["item"], second["score"], second["unstable"]) == ("b", "", "")
