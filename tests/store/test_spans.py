from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pipeline.store.spans import Spans

RANGES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)))


@given(RANGES, st.integers(40, 50))
def test_spans_are_the_set_of_their_bytes(ranges: list[tuple[int, int]], size: int) -> None:
    spans = Spans(ranges)
    real = {byte for start, end in ranges for byte in range(start, end)}
    listed = list(spans)
    assert {byte for start, end in listed for byte in range(start, end)} == real and spans.total == len(real)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(listed)), "sorted, and nothing touches"
    assert spans.frontier == next(byte for byte in range(60) if byte not in real)
    gaps = spans.gaps(size)
    assert {byte for start, end in gaps for byte in range(start, end)} == set(range(size)) - real
    assert all(start < end for start, end in gaps) and gaps == sorted(gaps)
