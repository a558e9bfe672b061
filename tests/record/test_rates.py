from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.checks.model import Outcome, Verdict
from pipeline.evals.intervals import wilson
from pipeline.record.rates import cases, merged, tallies

PASS, FAIL, UNKNOWN, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.SKIP
ONE = Outcome("s", "g", "a", PASS, "x", grade="answered")


def test_greedy_attempts_are_one_trial_and_every_seed_is_one() -> None:
    again = [replace(ONE, attempt=n) for n in (1, 2, 3)]
    seeds = [replace(ONE, sampled=True, attempt=n) for n in (1, 2, 3)]
    (tally,) = tallies([*again, *seeds])
    assert (tally.cases, tally.trials, tally.passed, tally.attempts, tally.rate) == (1, 4, 4, 6, 1.0)
    assert tally.interval == wilson(4, 4)
    wavering = [again[0], replace(again[1], verdict=FAIL, grade="no_call"), *seeds]
    (tally,) = tallies(wavering)
    assert (tally.trials, tally.passed) == (4, 3)
    assert tally.grades == (("answered", 4), ("no_call", 1))


def test_the_same_case_name_in_two_suites_is_two_trials() -> None:
    (tally,) = tallies([ONE, replace(ONE, suite="t", verdict=UNKNOWN)])
    assert (tally.cases, tally.trials, tally.passed, tally.unknown) == (2, 2, 1, 1)


def test_groups_keep_their_order_and_what_does_not_apply_is_no_trial() -> None:
    skipped, other = tallies([replace(ONE, group="z", verdict=SKIP, grade="not_applicable"), ONE])
    assert (skipped.group, skipped.trials, skipped.skipped, skipped.rate) == ("z", 0, 1, None)
    assert (other.group, other.rate) == ("g", 1.0)
    with pytest.raises(ValueError):
        _ = skipped.interval


def test_json_has_rate_and_interval_or_null() -> None:
    (tally,) = tallies([ONE])
    content = tally.content()
    assert (content["rate"], content["low"], content["grades"]) == (1.0, tally.interval[0], {"answered": 1})
    (tally,) = tallies([replace(ONE, verdict=SKIP)])
    assert (tally.content()["rate"], tally.content()["high"]) == (None, None)


def test_attempts_that_came_to_the_same_are_shown_once() -> None:
    bad = replace(ONE, attempt=3, verdict=FAIL, grade="no_call")
    assert merged([ONE, replace(ONE, attempt=2), bad, replace(ONE, case="b")]) == [
        (ONE, 1),
        (bad, 0),
        (replace(ONE, case="b"), 0),
    ]


def test_a_case_passes_with_all_its_attempts() -> None:
    other = [replace(ONE, case="b", verdict=PASS), replace(ONE, case="b", attempt=2, verdict=FAIL)]
    assert cases([ONE, replace(ONE, attempt=2), *other, replace(ONE, case="c", verdict=SKIP)]) == (1, 2, 1)
