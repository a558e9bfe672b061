from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evals.intervals import wilson
from pipeline.gate.enough import enough


@pytest.mark.parametrize(("right", "n", "bound"), [(92, 100, 0.9), (20, 20, 0.9), (1, 30, 0.1), (0, 10, 0.05)])
def test_so_many_items_leave_the_bound_out_of_the_interval(right: int, n: int, bound: float) -> None:
    low, high = wilson(right, n)
    assert low <= bound <= high
    needed = enough(right / n, low, high, n, bound, share=True)
    assert needed is not None and needed > n

    def reaches(size: int) -> bool:
        wide = wilson(round(right / n * size), size)
        return wide[0] <= bound <= wide[1]

    if right in (0, n):  # else the share itself is rounded
        assert not reaches(needed) and reaches(needed - 1)
    assert not reaches(needed + n)


def test_all_of_twenty_right_wants_thirty_five_for_nine_tenths() -> None:
    # n / (n + z^2) >= 0.9 from n = 34.6 on
    assert enough(1.0, *wilson(20, 20), 20, 0.9, share=True) == 35


def test_other_intervals_shrink_with_the_root_of_n() -> None:
    assert enough(10.0, 8.0, 12.0, 100, 11.0) == 400
    assert enough(10.0, 8.0, 14.0, 100, 11.0) == 1600
    assert enough(10.0, 8.0, 14.0, 100, 9.0) == 400


def test_a_value_on_its_bound_is_never_settled() -> None:
    assert enough(0.9, 0.8, 0.95, 100, 0.9, share=True) is None
    assert enough(1.0, 0.9, 1.0, 40, 1.0, share=True) is None
    assert enough(2.0, 1.0, 3.0, 40, 2.0) is None
    assert enough(2.0, 1.0, 3.0, 40, 2.0 + 1e-6) is None


@given(st.integers(0, 50), st.integers(1, 50), st.floats(0.01, 0.99))
def test_a_nearer_bound_wants_more(right: int, n: int, bound: float) -> None:
    value = min(right, n) / n
    near, far = (value + (bound - value) * part for part in (0.5, 1.0))
    some, fewer = (enough(value, *wilson(min(right, n), n), n, at, share=True) for at in (near, far))
    if some is not None and 0 < near < 1 and value not in (near, far):
        assert fewer is not None and fewer <= some
