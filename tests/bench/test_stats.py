"""Statistics against their definitions, numpy's figures and the standard library's."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.bench.stats import median, percentile, spread

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
