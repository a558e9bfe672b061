from __future__ import annotations

import numpy as np
import pytest

from pipeline.record.changes import LEAST, LONGEST, changes


def noise(length: int, level: float, seed: int) -> list[float]:
    return list(np.random.default_rng(seed).normal(level, 1.0, length))


def test_a_change_of_level_is_found_where_it_is() -> None:
    found = changes([*noise(20, 100, 1), *noise(20, 90, 2), *noise(20, 97, 3)])
    assert found == [20, 40]


def test_scatter_and_a_single_outlier_are_no_change() -> None:
    false = sum(bool(changes(noise(40, 100, seed))) for seed in range(60))
    assert false <= 3
    steady = noise(30, 100, 4)
    steady[15] = 5.0
    assert changes(steady) == []


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 50, [1.0, 9.0] * 3, [1.0] * (LEAST - 1) + [9.0] * (LEAST - 1)])
def test_too_few_or_equal_values_have_no_change(values: list[float]) -> None:
    assert changes(values) == []


def test_of_a_long_series_the_last_part_is_searched() -> None:
    values = [*noise(300, 0, 1), *noise(LONGEST, 50, 2), *noise(200, 90, 3)]
    assert changes(values) == [300 + LONGEST]
