from __future__ import annotations

import math
import statistics

import pytest

from pipeline.evals.intervals import mean_and_error, wilson


def test_wilson_agrees_with_published_values() -> None:
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)  # Newcombe 1998, table I
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(20, 20) == pytest.approx((0.8389, 1.0), abs=5e-5)


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 3), (4, 3)])
def test_wilson_refuses_what_is_no_share(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="of"):
        wilson(successes, n)


def test_mean_and_error() -> None:
    values = [1.0, 2.0, 4.0, 8.0]
    mean, error = mean_and_error(values)
    assert mean == 3.75
    assert error == pytest.approx(statistics.stdev(values) / 2)
    assert mean_and_error([5.0]) == (5.0, math.inf)
    with pytest.raises(ValueError, match="no values"):
        mean_and_error([])
