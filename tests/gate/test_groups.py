from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.checks.model import Outcome, Verdict
from pipeline.evals.intervals import wilson
from pipeline.gate.groups import judge_group
from pipeline.record.model import Reason
from pipeline.spec.gates import Group

PASS, FAIL, UNKNOWN, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.SKIP


def outcomes(*counts: tuple[Verdict, int]) -> list[Outcome]:
    """One greedy outcome a case."""
    verdicts = [verdict for verdict, count in counts for _ in range(count)]
    return [Outcome("s", "tools", f"c{i}", verdict, f"said {i}") for i, verdict in enumerate(verdicts)]


def judge(found: list[Outcome], rate: float | None = None) -> Reason:
    return judge_group(Group(group="tools", rate=rate), found)


def test_without_a_rate_every_case_must_pass() -> None:
    assert judge(outcomes((PASS, 3))) == Reason("checks tools: every case passes", PASS, "3 of 3 cases passed")
    one = outcomes((PASS, 2), (UNKNOWN, 1))
    assert judge(one) == Reason(
        "checks tools: every case passes", UNKNOWN, "1 of 3 cases did not pass: s/c2 unknown: said 2"
    )
    assert judge([*one, replace(one[0], verdict=FAIL)]).verdict is FAIL


def test_every_attempt_counts_where_every_case_must_pass() -> None:
    (one,) = outcomes((PASS, 1))
    seeds = [replace(one, sampled=True, attempt=n) for n in (1, 2)]
    assert judge([one, *seeds]).message == "1 of 1 case passed, in 3 attempts"
    reason = judge([one, seeds[0], replace(seeds[1], verdict=FAIL)])
    assert (reason.verdict, reason.message) == (FAIL, "1 of 1 case did not pass: s/c0 (seed 2) fail: said 0")


def test_the_lower_bound_must_reach_the_rate() -> None:
    assert wilson(57, 60)[0] == pytest.approx(0.863, abs=5e-4)
    reason = judge(outcomes((PASS, 57), (FAIL, 3)), 0.86)
    assert (reason.rule, reason.verdict) == ("checks tools: pass rate at least 0.86", PASS)
    assert reason.message == "57 of 60 trials passed (95 % interval 0.863 to 0.983)"


def test_a_rate_neither_shown_nor_refuted_is_unknown_and_says_what_would_show_it() -> None:
    reason = judge(outcomes((PASS, 57), (FAIL, 3)), 0.9)
    assert reason.verdict is UNKNOWN
    assert "the lower bound is under 0.9; 24 more trials that pass would show it" in reason.message
    assert wilson(57 + 24, 60 + 24)[0] >= 0.9 > wilson(57 + 23, 60 + 23)[0]
    assert "3 of 60 cases did not pass: s/c57 fail: said 57" in reason.message
    assert judge(outcomes((PASS, 3)), 0.9).verdict is UNKNOWN


def test_a_rate_that_the_interval_leaves_out_fails() -> None:
    reason = judge(outcomes((PASS, 10), (FAIL, 10)), 0.9)
    assert reason.verdict is FAIL and "even the upper bound is under 0.9" in reason.message


def test_unknown_never_counts_as_a_pass() -> None:
    reason = judge(outcomes((PASS, 50), (UNKNOWN, 50)), 0.8)
    assert reason.verdict is FAIL and "50 of 100 trials passed, 50 of the rest unknown," in reason.message


def test_what_does_not_apply_counts_nowhere_and_is_named() -> None:
    some = outcomes((PASS, 3), (SKIP, 2))
    assert judge(some) == Reason("checks tools: every case passes", PASS, "3 of 3 cases passed; 2 cases not applicable")
    assert "3 of 3 trials passed" in judge(some, 0.3).message and judge(some, 0.3).verdict is PASS
    none = judge(outcomes((SKIP, 2)))
    assert (none.verdict, none.message) == (UNKNOWN, "no case of this group applies to this model: said 0")
    assert judge(outcomes((SKIP, 2)), 0.1).verdict is UNKNOWN


def test_a_group_that_was_not_run_lists_those_that_were() -> None:
    reason = judge_group(Group(group="tols"), outcomes((PASS, 1)))
    assert (reason.verdict, reason.message) == (
        UNKNOWN,
        "no case of this group has been run; groups on record: tools",
    )
