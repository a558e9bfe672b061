from __future__ import annotations

from collections.abc import Callable

from pipeline.store.adapt import Limit

MB = 1 << 20


def grown(most: int, rate: Callable[[int], int], seconds: int = 20) -> list[int]:
    """Return how many connections were allowed each second, where ``rate`` says how many bytes a second that many bring."""
    now, total, allowed = 0.0, 0, []
    limit = Limit(most, lambda: now)
    for _ in range(seconds * 10):
        now += 0.1
        total += rate(limit.now) // 10
        limit.measure(total, limit.now)
        allowed.append(limit.now)
    return allowed[::10]


def test_connections_are_added_while_that_helps() -> None:
    each = grown(16, lambda number: number * 20 * MB)
    assert each[0] == 4 and each[-1] == 16 and each == sorted(each)


def test_connections_that_bring_nothing_are_let_go() -> None:
    each = grown(16, lambda number: min(number, 4) * 20 * MB)
    assert max(each) == 8 and each[-1] == 4


def test_a_slow_line_is_judged_too() -> None:
    assert grown(16, lambda number: number * 10_000, 60)[-1] == 16
    assert grown(16, lambda number: 40_000, 60)[-1] == 4


def test_never_more_than_the_origin_is_good_for() -> None:
    assert grown(1, lambda number: number * MB)[-1] == 1
    assert grown(3, lambda number: number * MB)[-1] == 3


def test_a_refusal_halves_once_for_all_that_are_refused_together() -> None:
    now = 0.0
    limit = Limit(16, lambda: now)
    assert [limit.halve() for _ in range(4)] == [True] * 4 and limit.now == 2
    now = 5.0
    assert limit.halve() and limit.now == 1
    now = 10.0
    assert not limit.halve() and limit.now == 1
    for _ in range(100):
        now += 1.0
        limit.measure(int(now) * 100 * MB, 1)
    assert limit.now == 1, "it grows no more once the server has said that it is too much"
