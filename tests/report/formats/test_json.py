from __future__ import annotations

import json as standard
from dataclasses import replace

import pytest

from pipeline.evals.model import EvalResult, Metric
from pipeline.record.model import StageResult
from pipeline.report.formats import json
from tests import factories as make
from tests.report import samples
from tests.report.site.samples import model_report


@pytest.mark.parametrize("sample", [samples.accepted, samples.rejected, samples.unjudged, samples.hostile])
def test_the_schema_is_stable(sample: object) -> None:
    assert callable(sample)
    content = standard.loads(json.render(sample()))
    assert list(content) == [
        *(
            "schema",
            "model",
            "generated",
            "assay_version",
            "lock_digest",
            "lock",
            "decision",
            "chain",
            "baseline",
            "runs",
            "not_run",
            "trends",
            "engine",
        ),
        *("hardware", "reproduce"),
    ]
    assert content["schema"] == "assay.report/1"


def test_everything_on_record_is_in_it() -> None:
    report = samples.rejected()
    content = standard.loads(json.render(report))
    assert [run["id"] for run in content["runs"]] == [run.id for run in report.runs]
    assert [o["verdict"] for o in content["runs"][2]["result"]["outcomes"]] == ["pass", "fail", "pass", "unknown"]
    assert content["decision"]["accepted"] is False
    assert content["decision"]["digest"] == report.chain[-1].entries[0][1]
    assert content["not_run"] == {"check": [], "eval": ["tiny-perplexity"]}
    assert content["lock"] == report.lock.content()


def test_numbers_that_do_not_exist_are_null() -> None:
    lock = make.lock()
    result = EvalResult("tiny-choice", "multiple_choice", (Metric("accuracy", float("nan"), high=float("inf")),), ())
    report = replace(samples.accepted(), runs=(make.run(lock, "eval", "tiny-choice", StageResult(evaluation=result)),))
    metric = standard.loads(json.render(report))["runs"][0]["result"]["evaluation"]["metrics"][0]
    assert (metric["value"], metric["high"]) == (None, None)


def test_groups_and_likely_causes_are_in_it() -> None:
    runs = standard.loads(json.render(samples.rejected()))["runs"]
    tools = next(run for run in runs if run["key"]["subject"] == "tiny-tools")
    assert tools["groups"][0]["rate"] == 0.5 and tools["groups"][0]["unknown"] == 1
    assert tools["result"]["causes"][0]["known"] == "ollama#12174"
    assert {outcome["grade"] for outcome in tools["result"]["outcomes"]} == {"", "markers_in_content", "server_crash"}


def test_the_comparison_with_the_baseline_and_the_trends_are_in_it() -> None:
    report = model_report()
    content = standard.loads(json.render(report))
    found = content["baseline"]
    assert (found["since"], found["reason"]) == ("2026-03-01", "first release")
    tasks = {task["name"]: task for task in found["comparison"]["tasks"]}
    assert (tasks["tiny-choice"]["verdict"], tasks["tiny-choice"]["n"]) == ("worse", 54)
    assert len(tasks["tiny-choice"]["broken"]) == 13 and tasks["tiny-choice"]["broken"][0]["id"] == "q029"
    assert tasks["tiny-stop"]["verdict"] == found["comparison"]["verdict"] == "incomparable"
    assert tasks["tiny-stop"]["obstacles"][0]["what"] == "hardware"
    assert [len(trend["values"]) for trend in content["trends"]] == [16]
    assert standard.loads(json.render(samples.accepted()))["baseline"] is None
