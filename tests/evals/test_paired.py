from __future__ import annotations

import math
import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evals.paired import (
    EXACT_UP_TO,
    bootstrap,
    holm,
    least_mean,
    least_share,
    mcnemar,
    newcombe,
    sign_flip,
)

COUNT = st.integers(0, 60)
SMALL = st.floats(-100, 100).map(lambda value: round(value, 3))


def test_mcnemar_by_hand() -> None:
    # Tubercle bacilli on two media: 12 and 2 of 50 disagree. 2 (1 + 14 + 91) / 2^14.
    assert mcnemar(12, 2) == 212 / 16384
    assert mcnemar(0, 5) == 2 / 32
    assert mcnemar(6, 0) == 2 / 64
    assert mcnemar(3, 3) == 1.0
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(1, 0) == 1.0
    assert 0 < mcnemar(3000, 2800) < 0.01
    with pytest.raises(ValueError, match="-1"):
        mcnemar(-1, 2)


@given(COUNT, COUNT)
def test_mcnemar_is_symmetric_a_probability_and_falls_with_unevenness(gained: int, lost: int) -> None:
    p = mcnemar(gained, lost)
    assert p == mcnemar(lost, gained)
    assert 0 < p <= 1
    if gained >= lost and lost:
        assert mcnemar(gained + 1, lost - 1) <= p


def test_newcombe_agrees_with_the_published_interval() -> None:
    # The same 50 samples: 20 both, 12 and 2 one only, 16 neither; a difference of 0.20, 0.056 to 0.329.
    assert newcombe(20, 2, 12, 16) == pytest.approx((0.0562, 0.3292), abs=5e-5)


@pytest.mark.parametrize("cells", [(0, 0, 0, 1), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (20, 0, 0, 0), (5, 0, 0, 7)])
def test_newcombe_has_a_width_at_the_edges(cells: tuple[int, int, int, int]) -> None:
    low, high = newcombe(*cells)
    _, lost, gained, _ = cells
    assert -1 <= low <= (gained - lost) / sum(cells) <= high <= 1
    assert high > low


@given(st.tuples(COUNT, COUNT, COUNT, COUNT).filter(any))
def test_newcombe_turns_around_when_the_models_do(cells: tuple[int, int, int, int]) -> None:
    both, lost, gained, neither = cells
    low, high = newcombe(both, lost, gained, neither)
    assert newcombe(both, gained, lost, neither) == pytest.approx((-high, -low))
    assert low <= (gained - lost) / sum(cells) <= high


def test_sign_flip_by_hand() -> None:
    # Of the 8 ways to sign 1, 2 and 3, two (all plus, all minus) reach a sum of 6.
    assert sign_flip([1, 2, 3]) == 2 / 8
    # 1, 2, -1: |sum| >= 2 in 6 of 8.
    assert sign_flip([1, 2, -1]) == 6 / 8
    # Darwin's maize, 15 pairs (Fisher 1935): 1726 of 2^15 ways reach the sum of 314, p = 0.0527.
    maize = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert sign_flip(maize) == 1726 / 2**15


def test_sign_flip_of_nothing_of_ties_and_of_one() -> None:
    assert sign_flip([]) == 1.0
    assert sign_flip([0.0] * 40) == 1.0
    assert sign_flip([3.5]) == 1.0
    assert sign_flip([1, 2, 3, *[0] * 500]) == sign_flip([1, 2, 3])


def test_many_pairs_are_drawn_for_and_agree_with_the_exact_answer() -> None:
    generator = random.Random(4)
    values = [generator.gauss(0.3, 1) for _ in range(EXACT_UP_TO + 1)]
    seen = abs(sum(values))
    exact = sum(
        abs(sum(map(float.__mul__, values, signs))) >= seen - 1e-12
        for signs in product((1.0, -1.0), repeat=len(values))
    )
    assert sign_flip(values) == pytest.approx(exact / 2 ** len(values), abs=0.02)
    assert sign_flip([1.0] * 100) == pytest.approx(1 / 10_001)


@given(st.lists(SMALL, max_size=12))
def test_sign_flip_is_symmetric_and_a_probability(values: list[float]) -> None:
    p = sign_flip(values)
    assert 0 < p <= 1
    assert sign_flip([-value for value in values]) == p
    assert sign_flip(values, [2.0] * len(values)) == p


def test_the_bootstrap_holds_its_mean_and_is_the_same_each_time() -> None:
    values = [0.1, 0.4, -0.2, 0.9, 0.3, 0.0, 0.5, 0.2]
    interval = bootstrap(values)
    assert interval is not None
    assert interval[0] < sum(values) / 8 < interval[1]
    assert bootstrap(values) == interval
    # For a symmetric sample BCa is the plain percentile interval, near the normal one.
    even = [x / 10 for x in range(-50, 51)]
    low, high = bootstrap(even) or (math.nan, math.nan)
    error = math.sqrt(sum(x * x for x in even) / 100) / math.sqrt(101)
    assert (low, high) == pytest.approx((-1.96 * error, 1.96 * error), rel=0.05)


def test_bca_leans_to_the_long_tail() -> None:
    values = [math.exp(i / 4) for i in range(-8, 9)]
    low, high = bootstrap(values) or (math.nan, math.nan)
    mean = sum(values) / len(values)
    assert high - mean > 1.15 * (mean - low)


def test_the_bootstrap_of_few_and_of_equal_pairs() -> None:
    assert bootstrap([]) is None
    assert bootstrap([1.0]) is None
    assert bootstrap([0.0, 0.0, 0.0]) == (0.0, 0.0)
    assert bootstrap([0.25] * 9, [1.0, 2.0, 3.0] * 3) == pytest.approx((0.25, 0.25))
    weighted = bootstrap([0.0, 1.0] * 20, [1.0, 3.0] * 20)
    assert weighted is not None and weighted[0] < 0.75 < weighted[1]


@pytest.mark.parametrize(("values", "weights"), [([math.nan], [1.0]), ([1.0], [0.0]), ([1.0, 2.0], [1.0])])
def test_what_is_no_pair_is_refused(values: list[float], weights: list[float]) -> None:
    for statistic in (bootstrap, sign_flip):
        with pytest.raises(ValueError, match="pairs want"):
            statistic(values, weights)


@settings(max_examples=20, deadline=None)
@given(st.lists(SMALL, min_size=2, max_size=30))
def test_the_bootstrap_lies_within_the_values(values: list[float]) -> None:
    low, high = bootstrap(values) or (math.nan, math.nan)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9


def power(n: int, disagree: float, difference: float) -> float:
    """The exact power of McNemar's test, by going through all outcomes."""
    gain = (1 + difference / disagree) / 2
    return sum(
        math.comb(n, d)
        * disagree**d
        * (1 - disagree) ** (n - d)
        * sum(math.comb(d, g) * gain**g * (1 - gain) ** (d - g) for g in range(d + 1) if mcnemar(g, d - g) <= 0.05)
        for d in range(n + 1)
    )


@pytest.mark.parametrize(("n", "disagreeing"), [(60, 20), (100, 12), (150, 40)])
def test_the_least_share_is_found_about_8_times_out_of_10(n: int, disagreeing: int) -> None:
    least = least_share(disagreeing, n)
    assert least is not None
    # The exact test's steps make it a little weaker than the formula says.
    assert 0.68 < power(n, max(disagreeing / n, least), least) < 0.86


def test_on_few_items_nothing_or_only_everything_could_be_found() -> None:
    assert [least_share(0, n) for n in (0, 1, 5)] == [None, None, None]
    assert least_share(0, 6) == 1.0
    assert least_share(6, 6, alpha=0.05 / 4) is None
    assert least_mean([]) is None
    assert least_mean([1.0]) is None
    assert least_mean([2.0, 2.0]) == 0.0


@given(st.integers(6, 400), st.integers(0, 6))
def test_more_items_show_smaller_differences(n: int, disagreeing: int) -> None:
    few, many = least_share(disagreeing, n), least_share(disagreeing, 4 * n)
    assert few is not None and many is not None
    assert 0 < many <= few <= 1


def test_the_least_mean_is_the_textbooks() -> None:
    # (1.95996 + 0.84162) sd / sqrt(n), sd = 1, n = 25
    values = [math.sqrt(24 / 25)] * 12 + [-math.sqrt(24 / 25)] * 12 + [0.0]
    assert least_mean(values) == pytest.approx(2.80158 / 5 * math.sqrt(24 / 25), rel=1e-4)


def test_holm_by_hand() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == {"a": 0.03, "b": 0.06, "c": 0.06}
    assert holm({}) == {}
    assert holm({"a": 0.04}) == {"a": 0.04}
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=8))
def test_holm_never_makes_a_p_smaller_and_keeps_the_order(p_values: dict[str, float]) -> None:
    adjusted = holm(p_values)
    assert list(adjusted) == list(p_values)
    for name, p in p_values.items():
        assert p <= adjusted[name] <= 1
        assert all(adjusted[name] <= adjusted[other] for other, higher in p_values.items() if higher > p)
