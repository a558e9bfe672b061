from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.errors import UsageError
from pipeline.evals.model import EvalResult, Item
from pipeline.record.model import StageResult
from pipeline.report.logs import inspect
from pipeline.report.logs._base import Logged
from tests import factories as make

LOCK = make.lock()
# What inspect_ai's reader asks of a log: the required fields of EvalLog, EvalSpec, EvalSample, EvalScore and EvalMetric.
REQUIRED = {
    "eval": {"created", "task", "dataset", "model", "config"},
    "sample": {"id", "epoch", "input", "target"},
}


def test_a_log_has_what_inspect_reads(tmp_path: Path) -> None:
    (run,) = (run for run in make.sound_runs(LOCK) if run.key.subject == "tiny-choice")
    inspect.write([Logged(run, LOCK)], tmp_path / "x.json")
    log = json.loads((tmp_path / "x.json").read_text())
    assert (log["version"], log["status"]) == (2, "success")
    assert log["eval"].keys() >= REQUIRED["eval"]
    assert log["eval"]["task"] == "tiny-choice"
    assert log["eval"]["model_args"]["weights"] == LOCK.weights.sha256
    assert log["eval"]["metadata"]["lock_digest"] == str(LOCK.digest)
    assert len(log["samples"]) == log["eval"]["dataset"]["samples"] == log["results"]["total_samples"] == 54
    assert all(sample.keys() >= REQUIRED["sample"] for sample in log["samples"])
    (score,) = log["results"]["scores"]
    assert score["metrics"]["accuracy"]["value"] == pytest.approx(42 / 54)
    assert (score["scored_samples"], score["unscored_samples"]) == (54, 0)
    right, wrong = log["samples"][0], log["samples"][-1]
    assert (right["target"], right["scores"]["assay"]["value"]) == ("2", "C")
    assert (wrong["scores"]["assay"]["answer"], wrong["scores"]["assay"]["value"]) == ("54", "I")
    assert right["choices"] == ["2", "1", "0", "3"]


def test_unknown_numbers_and_written_answers() -> None:
    items = (
        Item("u", 0.0, {"verdict": "unknown", "reason": "cut off", "wanted": None}),
        Item("w", 1.25, {"text": "tokens 1 to 9", "logprob": -3.0}),
        Item("g", 1.0, {"verdict": "right", "prompt": "2 + 2?", "answer": "4", "wanted": ["4", "four"]}),
        Item("t", 0.0, {"verdict": "wrong", "prompt": "call", "answer": "", "wanted": {"name": "f"}}),
    )
    run = make.run(
        LOCK, "eval", "tiny-choice", StageResult(evaluation=EvalResult("tiny-choice", "generate", (), items))
    )
    samples = inspect.log_of(Logged(run, LOCK))["samples"]
    assert [sample["scores"]["assay"]["value"] for sample in samples] == ["N", 1.25, "C", "I"]
    assert samples[0]["scores"]["assay"]["explanation"] == "cut off"
    assert [sample["target"] for sample in samples] == ["", "", ["4", "four"], '{"name": "f"}']
    assert samples[1]["input"] == "tokens 1 to 9"
    assert samples[2]["output"]["choices"][0]["message"]["content"] == "4"
    assert samples[3]["output"]["choices"] == []


def test_checks_are_samples_too() -> None:
    (run,) = (run for run in make.broken_runs(LOCK) if run.key.subject == "tiny-tools")
    log = inspect.log_of(Logged(run, LOCK))
    assert [sample["scores"]["assay"]["value"] for sample in log["samples"]] == ["C", "I", "C", "N"]
    assert log["results"]["scores"][0]["metrics"]["passed"]["value"] == pytest.approx(2 / 3)


def test_one_log_holds_one_run(tmp_path: Path) -> None:
    logs = [Logged(run, LOCK) for run in make.sound_runs(LOCK) if run.key.stage == "eval"]
    with pytest.raises(UsageError, match="these are 2: tiny-perplexity, tiny-choice"):
        inspect.write(logs, tmp_path / "x.json")
    assert list(tmp_path.iterdir()) == []
