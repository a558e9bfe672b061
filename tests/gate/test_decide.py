from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.checks.model import Verdict
from pipeline.evals.model import EvalResult, Metric
from pipeline.gate.decide import decide
from pipeline.lint.model import UNASKED, Finding, NotJudged, Severity
from pipeline.lock.model import Lockfile
from pipeline.record.model import Decision, Reason, Run, StageResult
from pipeline.spec.policy import NO_POLICY, Policy
from tests import factories as make

LOCK = make.lock()
PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


def judge(lock: Lockfile, runs: list[Run], policy: Policy = NO_POLICY) -> Decision:
    return decide(lock, make.ENGINE, make.HARDWARE, runs, make.NOW, "d1", policy=policy)


def reason(decision: Decision, start: str) -> Reason:
    return next(reason for reason in decision.reasons if reason.rule.startswith(start))


def gates(**content: Any) -> Lockfile:
    return make.lock(gates=content, checks=["tiny-tools"], evals=["tiny-choice"])


def test_a_sound_model_is_accepted_with_every_rule_named() -> None:
    decision = judge(LOCK, make.sound_runs(LOCK))
    assert decision.accepted
    assert {reason.verdict for reason in decision.reasons} == {PASS}
    assert len(decision.reasons) == 1 + 4 + 2 + 3
    assert decision.run_ids == tuple(run.id for run in make.sound_runs(LOCK))
    assert "95 % interval 2.793 to 3.043" in reason(decision, "tiny-perplexity.perplexity").message


def test_a_broken_model_is_rejected_and_each_reason_says_why() -> None:
    decision = judge(LOCK, make.broken_runs(LOCK))
    assert not decision.accepted
    assert "no chat template" in reason(decision, "lint").message
    tools = reason(decision, "checks tool-calling")
    assert tools.verdict is FAIL
    assert "tiny-tools/required fail: the call came out as plain content" in tools.message
    assert "tiny-tools/streaming unknown: the server closed the stream" in tools.message
    assert reason(decision, "eval suite tiny-perplexity").verdict is UNKNOWN
    assert reason(decision, "tiny-perplexity.perplexity") == Reason(
        "tiny-perplexity.perplexity: max 4", UNKNOWN, "tiny-perplexity has not been run"
    )
    accuracy = reason(decision, "tiny-choice.accuracy")
    assert accuracy.verdict is UNKNOWN
    assert "min 0.6 lies within it: n = 54 is too small" in accuracy.message


@pytest.mark.parametrize("dropped", range(6))
def test_any_missing_run_rejects(dropped: int) -> None:
    runs = make.sound_runs(LOCK)
    del runs[dropped]
    decision = judge(LOCK, runs)
    assert not decision.accepted
    assert {reason.verdict for reason in decision.reasons} == {PASS, UNKNOWN}


@pytest.mark.parametrize("field", ["lock_digest", "engine_digest", "hardware_digest", "subject_digest"])
def test_a_run_of_another_lock_engine_hardware_or_suite_does_not_count(field: str) -> None:
    runs = make.sound_runs(LOCK)
    runs[2] = replace(runs[2], key=replace(runs[2].key, **{field: "sha256:other"}))
    decision = judge(LOCK, runs)
    assert not decision.accepted
    assert runs[2].id not in decision.run_ids


@pytest.mark.parametrize(
    ("allowed", "worst", "verdict"),
    [
        ("none", None, PASS),
        ("none", Severity.INFO, FAIL),
        ("info", Severity.INFO, PASS),
        ("info", Severity.WARNING, FAIL),
        ("warning", Severity.WARNING, PASS),
        ("warning", Severity.ERROR, FAIL),
        ("error", Severity.ERROR, PASS),
    ],
)
def test_lint_severities(allowed: str, worst: Severity | None, verdict: Verdict) -> None:
    lock = make.lock(gates={"lint": allowed}, checks=[], evals=[])
    found = () if worst is None else (Finding("L009", worst, "said so"),)
    decision = judge(lock, [make.run(lock, "lint", "lint", StageResult(findings=found))])
    assert reason(decision, "lint").verdict is verdict
    assert decision.accepted is (verdict is PASS)


def test_rules_that_had_nothing_to_judge_by_are_no_pass() -> None:
    lock = make.lock(gates={"lint": "error"}, checks=[], evals=[])
    not_meant = NotJudged("A103", "the chat template has no tools")
    broken = NotJudged("A701", f"{UNASKED}llama-server was not ready after 60 s")
    fine, unknown = (
        judge(lock, [make.run(lock, "lint", "lint", StageResult(not_judged=found))], Policy(lint="error"))
        for found in ((not_meant,), (not_meant, broken))
    )
    assert fine.accepted and not unknown.accepted
    for rule in ("lint", "policy lint"):
        told = reason(unknown, rule)
        assert told.verdict is Verdict.UNKNOWN and "A701 could not judge" in told.message and "60 s" in told.message


def test_no_gates_is_said_plainly_and_rests_on_lint() -> None:
    lock = make.lock(gates={}, checks=[], evals=[])
    decision = judge(lock, [make.run(lock, "lint", "lint", StageResult())])
    assert decision.accepted
    assert "no check group and no metric" in reason(decision, "gates").message
    assert not judge(lock, []).accepted


def test_an_unknown_group_lists_those_on_record() -> None:
    decision = judge(gates(checks=["tool-caling"]), make.sound_runs(gates(checks=["tool-caling"])))
    found = reason(decision, "checks tool-caling")
    assert found.verdict is UNKNOWN
    assert "tool-calling" in found.message


def metric(rule: str, **limit: float) -> Reason:
    lock = gates(metrics={rule: limit})
    return reason(judge(lock, make.sound_runs(lock)), rule)


def test_a_misspelt_metric_is_unknown_with_a_proposal() -> None:
    assert metric("tiny-choice.acuracy", min=0.5) == Reason(
        "tiny-choice.acuracy: min 0.5", UNKNOWN, "no metric of this name; did you mean tiny-choice.accuracy?"
    )
    assert "did you mean bench.decode_tok_s@tg32?" in metric("bench.decode_toks@tg32", min=1).message


def test_a_benchmark_without_a_test_must_hold_for_every_setting() -> None:
    assert metric("bench.ttft_ms", max=30).verdict is PASS
    worse = metric("bench.ttft_ms", max=15)
    assert (worse.verdict, worse.message) == (FAIL, "streams=4: 21.7 ms")
    assert metric("bench.ttft_ms@streams=1", max=15).verdict is PASS


def test_a_null_value_is_unknown_with_its_reason() -> None:
    found = metric("bench.peak_gpu_bytes", max=1)
    assert found.verdict is UNKNOWN
    assert "no GPU on this machine" in found.message


@pytest.mark.parametrize(
    ("value", "verdict"), [(float("nan"), UNKNOWN), (float("inf"), FAIL), (2.0, PASS), (1.999, FAIL)]
)
def test_bounds_are_inclusive_and_nan_is_never_a_pass(value: float, verdict: Verdict) -> None:
    lock = gates(metrics={"tiny-choice.accuracy": {"min": 2.0, "max": 3.0}})
    result = EvalResult("tiny-choice", "multiple_choice", (Metric("accuracy", value),), ())
    decision = judge(lock, [make.run(lock, "eval", "tiny-choice", StageResult(evaluation=result))])
    assert reason(decision, "tiny-choice.accuracy").verdict is verdict


def test_a_suite_of_which_no_case_could_be_judged_has_not_been_run() -> None:
    lock = make.lock(gates={}, checks=["tiny-tools"], evals=[])
    runs = [run for run in make.sound_runs(lock) if run.key.stage in ("lint", "check")]
    place = next(i for i, run in enumerate(runs) if run.key.subject == "tiny-tools")
    gone = tuple(replace(one, verdict=UNKNOWN, diagnosis="gone") for one in runs[place].result.outcomes)
    assert len(gone) > 1
    assert judge(lock, runs).accepted
    runs[place] = replace(runs[place], result=StageResult(outcomes=gone))
    decision = judge(lock, runs)
    assert not decision.accepted
    assert reason(decision, "check suite tiny-tools") == Reason(
        "check suite tiny-tools: run", UNKNOWN, "no case could be judged: gone"
    )


def test_a_suite_of_which_nothing_applies_shows_nothing() -> None:
    lock = make.lock(gates={}, checks=["tiny-tools"], evals=[])
    runs = [run for run in make.sound_runs(lock) if run.key.stage in ("lint", "check")]
    place = next(i for i, run in enumerate(runs) if run.key.subject == "tiny-tools")
    skipped = tuple(
        replace(one, verdict=Verdict.SKIP, diagnosis="it has no tools") for one in runs[place].result.outcomes
    )
    runs[place] = replace(runs[place], result=StageResult(outcomes=skipped))
    assert reason(judge(lock, runs), "check suite tiny-tools") == Reason(
        "check suite tiny-tools: run",
        UNKNOWN,
        "no case applies to this model, so the suite shows nothing of it: it has no tools",
    )
    runs[place] = replace(runs[place], result=StageResult(outcomes=(skipped[0], replace(skipped[1], verdict=PASS))))
    decision = judge(lock, runs)
    assert decision.accepted and reason(decision, "check suite tiny-tools").message == "1 pass, 1 skip"


def test_a_rate_is_judged_over_all_suites_that_have_the_group() -> None:
    lock = gates(checks=[{"group": "tool-calling", "rate": 0.3}])
    found = reason(judge(lock, make.sound_runs(lock)), "checks tool-calling")
    assert (found.rule, found.verdict) == ("checks tool-calling: pass rate at least 0.3", PASS)
    assert judge(lock, make.sound_runs(lock)).spec_gates["checks"] == [{"group": "tool-calling", "rate": 0.3}]
