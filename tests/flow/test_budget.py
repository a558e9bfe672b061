from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.flow.budget import Standing, Start, next_start, outstayed

A = Standing("a", 5, there=True, free=True, used=1.0)
B = Standing("b", 5, there=True, free=True, used=2.0)
C = Standing("c", 5, asked=3.0)


def test_what_fits_is_started_and_nothing_is_stopped() -> None:
    assert next_start([A, B, C], 15) == Start("c")
    assert next_start([A, B], 15) is None


def test_the_least_recently_used_goes() -> None:
    assert next_start([A, B, C], 10) == Start("c", ("a",))
    assert next_start([replace(A, used=9.0), B, C], 10) == Start("c", ("b",))
    assert next_start([A, B, replace(C, size=10)], 10) == Start("c", ("a", "b"))


def test_who_is_asked_stays_and_the_other_waits() -> None:
    assert next_start([replace(A, free=False), B, C], 10) == Start("c", ("b",))
    assert next_start([replace(A, free=False), replace(B, free=False), C], 10) is None


def test_a_small_one_is_spared_where_a_large_one_must_go_anyhow() -> None:
    assert next_start([replace(A, size=1), B, C], 6) == Start("c", ("b",))


def test_who_waits_longest_comes_first_and_none_is_overtaken_for_ever() -> None:
    busy, first, later = replace(A, free=False), replace(C, size=6), Standing("d", 4, asked=4.0)
    assert next_start([later, first], 10) == Start("c")
    assert next_start([busy, first, later], 10) == Start("d")  # there is memory for both
    assert next_start([busy, replace(first, size=7), later], 10) is None


def test_who_was_not_asked_for_long_has_outstayed() -> None:
    assert outstayed([A, B, C, replace(A, name="x", free=False)], 1.5) == ("a",)


@st.composite
def standings(draw: st.DrawFn) -> list[Standing]:
    made = []
    for number in range(draw(st.integers(0, 6))):
        there = draw(st.booleans())
        free = there and draw(st.booleans())
        asked = None if there else draw(st.none() | st.floats(0, 9))
        made.append(Standing(str(number), draw(st.integers(1, 9)), there, free, draw(st.floats(0, 9)), asked))
    return made


@given(standings(), st.integers(1, 30))
def test_whatever_it_says_fits_and_stops_no_more_than_it_must(models: list[Standing], budget: int) -> None:
    by_name = {one.name: one for one in models}
    found = next_start(models, budget)
    taken = sum(one.size for one in models if one.there)
    wanted = sorted((one.asked, one.name) for one in models if one.asked is not None and not one.there)
    freeable = sum(one.size for one in models if one.free)
    if found is None:
        first = by_name[wanted[0][1]] if wanted else None
        assert first is None or taken - freeable + first.size > budget
        return
    one, stopped = by_name[found.name], [by_name[name] for name in found.stop]
    assert one.asked is not None and not one.there
    assert all(other.there and other.free for other in stopped)

    def fits(gone: tuple[Standing, ...]) -> bool:
        return taken + one.size - sum(other.size for other in gone) <= budget

    assert fits(tuple(stopped))
    for fewer in range(len(stopped)):
        assert not any(fits(gone) for gone in combinations(stopped, fewer))
    ahead = [by_name[name] for _, name in wanted[: [name for _, name in wanted].index(one.name)]]
    assert not ahead or sum(other.size for other in ahead) + one.size <= budget
