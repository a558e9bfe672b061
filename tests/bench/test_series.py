"""Which repetitions count, what they come to, and how many more are wanted."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.bench.series import ENOUGH, Repetition, Series, pooled
from pipeline.bench.stats import median
from pipeline.bench.validity import Conditions

GOOD = Conditions(1.0, share=1.0)
BAD = Conditions(1.0, share=0.5, against=("its threads ran 50% of the time: something else used the cores",))


def series(*rates: float, bad: tuple[float, ...] = (), seconds: float = 1.0, rounds: int = 1) -> Series:
    good = [Repetition(rate, GOOD.over(seconds)) for rate in rates]
    return Series(3, [*good, *(Repetition(rate, BAD.over(seconds)) for rate in bad)], rounds)


def test_a_steady_series_is_settled() -> None:
    found = series(100, 101, 99, 100)
    low, high = found.interval or (0, 0)
    # mean 100, standard deviation sqrt(2/3), t of 3 degrees of freedom 3.182
    half = 3.182 * math.sqrt(2 / 3) / 2
    assert [low, high] == pytest.approx([100 - half, 100 + half])
    assert (found.wanted, found.inconclusive, found.remarks) == (0, "", [])


def test_what_was_kept_waiting_is_left_out_and_run_again() -> None:
    found = series(100, 100, bad=(3, 5))
    assert found.valid == [100, 100]
    assert found.wanted == 3
    assert "2 of 4 repetitions count, 3 are wanted (its threads ran 50% of the time" in found.inconclusive
    assert series(100, bad=(3, 5), rounds=3).wanted == 9, "more each time"
    assert series(100, bad=(3, 5), rounds=12).wanted == 0, "and not for ever"


def test_repetitions_that_differ_are_run_again_and_come_to_no_number() -> None:
    found = series(80, 100, 120)
    assert found.wanted == 12
    assert "differ too much (± 50% at 95 %)" in found.inconclusive


def test_a_number_that_is_not_quite_settled_says_so() -> None:
    found = series(*[98, 102] * 4)
    assert ENOUGH > found.width > ENOUGH / 2 and found.wanted == 0
    wide = series(*[96, 104] * 4)
    assert wide.inconclusive == "" and wide.wanted > 0
    assert any("known to ± 3.6% only" in remark for remark in wide.remarks)


def test_a_series_too_short_to_be_judged_is_made_longer() -> None:
    assert series(100, 100, 100, seconds=0.01).wanted == 47
    assert series(100, 100, 100, seconds=0.2).wanted == 0


def test_a_slow_first_repetition_and_a_strange_one_are_told() -> None:
    assert "the first repetition was slower" in series(80, 100, 101, 100, 99).remarks[0]
    assert "1 of 12 repetitions lie far" in "; ".join(series(*[100, 101, 99] * 3, 100, 101, 130).remarks)


def test_nothing_measured_is_no_number() -> None:
    assert Series(3).inconclusive == "inconclusive: 0 of 0 repetitions count, 3 are wanted"
    assert pooled([]) == 0
    assert pooled([series(100, 101, 99, 100), series(80, 100, 120)]) == 12


@given(st.lists(st.floats(1, 1e6), min_size=2, max_size=40))
def test_the_interval_holds_the_mean(rates: list[float]) -> None:
    low, high = series(*rates).interval or (math.nan, math.nan)
    mean = sum(rates) / len(rates)
    assert low <= mean * (1 + 1e-9)
    assert high >= mean * (1 - 1e-9)


def test_a_processor_of_two_speeds_has_no_number() -> None:
    """The mean of so many is known well, and is a speed at which nothing ever ran."""
    found = series(*[2000.0] * 51, *[3000.0] * 49)
    assert found.width < 0.05
    assert "the median lies anywhere from 2000 to 3000 tok/s" in found.inconclusive


@given(st.lists(st.floats(90, 110), min_size=6, max_size=40))
def test_the_interval_that_is_given_holds_the_median(rates: list[float]) -> None:
    low, high = series(*rates).around or (math.nan, math.nan)
    assert low <= median(rates) <= high
