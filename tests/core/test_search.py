from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.core.search import Unsearchable, found

ENDLESS = r"(([a-z ]+)+)+\d$"


def test_what_is_found() -> None:
    assert found(r"^\d+$", "42") and not found(r"^\d+$", "42 apples")
    assert found("\n", "a\nb") and found("\ud800", "\ud800")


def test_an_endless_search_ends_and_the_next_one_is_answered() -> None:
    began = time.process_time()
    with pytest.raises(Unsearchable, match=r"takes more than 2 s"):
        found(ENDLESS, "a" * 60)
    assert time.process_time() - began < 1  # it was not this process that searched
    assert found("b+", "abc")


def test_a_search_that_wants_too_much_memory_ends_too() -> None:
    with pytest.raises(Unsearchable, match="more than its bounds allow"):
        found("(?:" * 5000 + "a" + ")*" * 5000, "a")
    assert found("b+", "abc")


def test_many_threads_search() -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: found(f"^{number % 7}$", str(number % 5)), range(200)))
    assert answers == [number % 7 == number % 5 for number in range(200)]
