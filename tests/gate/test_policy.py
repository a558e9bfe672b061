"""What the catalog's policy asks of a model beyond its spec, and which broken rules are excepted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from pipeline.checks.model import Verdict
from pipeline.compare.model import Side
from pipeline.evals.model import EvalResult, Item, Metric
from pipeline.gate.decide import decide
from pipeline.gate.policy import Baseline, excepted, policy_reasons
from pipeline.record.model import Reason, Run, StageResult
from pipeline.spec.policy import Policy
from tests import factories as make

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
LOCK = make.lock()


def reasons(runs: list[Run] | None = None, **asked: Any) -> list[Reason]:
    policy = Policy.model_validate(asked)
    return list(policy_reasons(policy, LOCK, make.sound_runs(LOCK) if runs is None else runs, None))


def one(**asked: Any) -> Reason:
    (found,) = reasons(**asked)
    assert found.rule.startswith("policy ")
    return found


def test_a_policy_that_is_off_asks_nothing() -> None:
    assert reasons(mode="off", license={"required": True}, lint="none") == []
    assert reasons() == []


def test_licences() -> None:
    assert one(license={"required": True}).verdict is PASS
    assert one(license={"allow": [LOCK.license.id]}).verdict is PASS
    refused = one(license={"allow": ["MIT"]})
    assert (refused.verdict, refused.message) == (FAIL, LOCK.license.id)
    bare = LOCK.model_copy(update={"license": LOCK.license.model_copy(update={"id": None, "declared_in": None})})
    policy = Policy.model_validate({"license": {"allow": ["mit"], "required": True}})
    assert [r.verdict for r in policy_reasons(policy, bare, [], None)] == [FAIL, UNKNOWN]


def test_provenance() -> None:
    scheme = LOCK.source.resolved.partition(":")[0]
    assert one(provenance={"sources": [scheme]}).verdict is PASS
    assert one(provenance={"sources": ["oci"]}).verdict is FAIL
    known = LOCK.weights.known
    assert one(provenance={"known": [known]}).verdict is PASS
    other = "published" if known != "published" else "spec"
    assert known in one(provenance={"known": [other]}).message


def test_a_severity_of_lint_that_no_spec_may_loosen() -> None:
    assert one(lint="info").verdict is PASS
    assert one(lint="none").verdict is FAIL
    assert one(lint="none", runs=[]).verdict is UNKNOWN


def test_groups_and_metrics_are_judged_as_in_specs() -> None:
    groups = reasons(checks=["stop-tokens"])
    assert [group.rule for group in groups] == ["policy checks stop-tokens: every case passes"]
    bound = {"metric": "bench.decode_tok_s@tg32", "limit": {"min": 1}}
    assert one(metrics=[bound]).verdict is PASS
    assert one(metrics=[{**bound, "limit": {"min": 1e9}}]).verdict is FAIL
    assert reasons(metrics=[{**bound, "models": ["other-*"]}]) == []


def test_a_policy_that_warns_rejects_nothing() -> None:
    found = one(mode="warn", license={"allow": ["mit"]})
    assert (found.verdict, found.waived, found.holds) == (FAIL, "the policy only warns", True)


# -- baselines ---------------------------------------------------------------------------------------------------------


def scored(right: int, n: int = 100, suite: str = "tiny-choice") -> Run:
    items = tuple(Item(f"q{i}", float(i < right), {}) for i in range(n))
    metric = Metric("acc", right / n, "share", None, None, n)
    return make.run(LOCK, "eval", suite, StageResult(evaluation=EvalResult(suite, "multiple_choice", (metric,), items)))


def before(right: int) -> Baseline:
    return Baseline(Side("before", LOCK, (scored(right),)), "2026-11-01", "first release")


@pytest.mark.parametrize(
    ("was", "now", "asked", "verdict"),
    [
        (90, 70, {}, FAIL),
        (90, 70, {"worse_by": 0.3}, PASS),  # a smaller loss is accepted
        (90, 88, {}, PASS),  # two items may be chance
        (70, 90, {}, PASS),
        (90, 70, {"items": 500}, UNKNOWN),
        (90, 70, {"items": 500, "inconclusive": "fail"}, FAIL),
    ],
)
def test_a_loss_against_the_baseline(was: int, now: int, asked: dict[str, Any], verdict: Verdict) -> None:
    policy = Policy.model_validate({"baseline": [{"suite": "tiny-choice", **asked}]})
    (found,) = policy_reasons(policy, LOCK, [scored(now)], before(was))
    assert found.verdict is verdict
    assert "against the baseline of 2026-11-01" in found.message


def test_a_loss_names_the_items_that_were_right_before() -> None:
    policy = Policy.model_validate({"baseline": [{"suite": "tiny-choice"}]})
    (found,) = policy_reasons(policy, LOCK, [scored(70)], before(90))
    assert "right before and wrong now: q70, q71" in found.message and "and 15 more" in found.message


def test_what_can_not_be_compared_is_not_passed() -> None:
    policy = Policy.model_validate({"baseline": [{"suite": "tiny-choice"}]})
    (missing,) = policy_reasons(policy, LOCK, [scored(70)], None)
    assert missing.verdict is UNKNOWN and "assay baseline accept" in missing.message
    (not_run,) = policy_reasons(policy, LOCK, [], before(90))
    assert not_run.verdict is UNKNOWN and "has not been run" in not_run.message
    other = scored(90)
    other = replace(other, key=replace(other.key, engine_digest="sha256:" + "9" * 64))
    elsewhere = Baseline(Side("before", LOCK, (other,)), "2026-11-01", "r")
    (apart,) = policy_reasons(policy, LOCK, [scored(70)], elsewhere)
    assert apart.verdict is UNKNOWN and "engine" in apart.message


# -- exceptions --------------------------------------------------------------------------------------------------------

BROKEN = Reason("lint: no finding", FAIL, "A101 …")
EXCEPTION = {"models": ["tiny-*"], "rule": "lint*", "owner": "ada", "reason": "known", "until": "2026-12-31"}


def test_an_exception_holds_for_its_model_its_rule_and_its_time() -> None:
    policy = Policy.model_validate({"exceptions": [EXCEPTION]})
    (waived,) = excepted([BROKEN], policy, "tiny-chat", date(2026, 12, 31))
    assert waived.holds and waived.verdict is FAIL
    assert waived.said == "A101 … (accepted by ada, until 2026-12-31: known)"
    for name, rule, day in (
        ("other", "lint: x", date(2026, 1, 1)),
        ("tiny-chat", "checks x", date(2026, 1, 1)),
        ("tiny-chat", "lint: x", date(2027, 1, 1)),
    ):
        assert not excepted([replace(BROKEN, rule=rule)], policy, name, day)[0].holds
    fine = Reason("lint: no finding", PASS, "no findings")
    assert excepted([fine], policy, "tiny-chat", date(2026, 1, 1)) == (fine,)


def test_a_decision_counts_the_policy_and_its_exceptions() -> None:
    runs = make.sound_runs(LOCK)
    asked: dict[str, Any] = {"license": {"allow": ["mit"]}}

    def decided(policy: dict[str, Any]) -> Any:
        return decide(LOCK, make.ENGINE, make.HARDWARE, runs, make.NOW, "d", policy=Policy.model_validate(policy))

    assert decide(LOCK, make.ENGINE, make.HARDWARE, runs, make.NOW, "d").accepted
    refused = decided(asked)
    assert not refused.accepted
    assert refused.spec_gates["policy"]["license"]["allow"] == ["mit"]
    exception = {"models": ["*"], "rule": "policy license*", "owner": "ada", "reason": "bought"}
    assert decided({**asked, "exceptions": [exception]}).accepted
    assert decided({**asked, "mode": "warn"}).accepted
