"""Statistics against their definitions, numpy's figures and the standard library's."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.bench.stats import deviant, median, percentile, spread, student

samples = st.lists(st.floats(min_value=0, max_value=1e9), min_size=1, max_size=40)


def test_by_hand() -> None:
    assert percentile([10, 20, 30, 40, 50], 95) == pytest.approx(48)
    assert percentile([7], 95) == 7
    assert percentile([2, 1], 0) == 1
    assert percentile([2, 1], 100) == 2
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 2, 3]) == 2.5
    assert spread([2, 5, 4]) == 2.5
    assert spread([0, 1]) == math.inf


@given(samples, st.floats(min_value=0, max_value=100))
def test_as_numpy(values: list[float], percent: float) -> None:
    assert percentile(values, percent) == pytest.approx(float(np.percentile(values, percent)), rel=1e-9, abs=1e-9)


@given(samples)
def test_median_as_the_standard_library(values: list[float]) -> None:
    assert median(values) == pytest.approx(statistics.median(values))


def test_nothing_has_no_figures() -> None:
    for ask in (median, spread):
        with pytest.raises(ValueError, match="no "):
            ask([])
    with pytest.raises(ValueError, match="101"):
        percentile([1.0], 101)


def test_samples_far_from_the_median() -> None:
    steady = [100.0, 101.0, 99.0, 100.5, 99.5]
    assert deviant(steady) == []
    assert deviant([*steady, 130.0]) == [130.0]
    assert deviant([1.0, 1.0, 1.0, 5.0]) == [], "no spread to measure by"
    assert deviant([1.0, 100.0]) == []


def test_students_t_at_the_table_and_beyond() -> None:
    """Published: t(0.975) is 12.706 for 1, 2.228 for 10, 2.021 for 40, 1.980 for 120 degrees of freedom."""
    assert [round(student(n), 3) for n in (1, 10, 40, 120)] == [12.706, 2.228, 2.021, 1.980]
    assert student(30) > student(31) > student(1000) > 1.959
    with pytest.raises(ValueError, match="0 degrees"):
        student(0)
