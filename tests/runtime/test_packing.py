from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.packing import Group, Target, common_prefix, cut, lay_out, packs

tokens = st.lists(st.integers(0, 9), min_size=1, max_size=6).map(tuple)
groups = st.lists(st.builds(Group, tokens, st.lists(tokens, min_size=1, max_size=4).map(tuple)), min_size=1, max_size=9)


def test_group_counts_what_is_read() -> None:
    group = Group((1, 2, 3), ((4, 5), (6,)))
    assert (group.cells, group.length) == (4, 5)


@pytest.mark.parametrize(("prefix", "suffixes"), [((), ((1,),)), ((1,), ()), ((1,), ((2,), ()))])
def test_group_without_tokens_is_refused(prefix: tuple[int, ...], suffixes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match="one token"):
        Group(prefix, suffixes)


@given(groups, st.integers(24, 60), st.integers(4, 9))
def test_packs_keep_order_and_limits(made: list[Group], cells: int, sequences: int) -> None:
    plan = list(packs(made, cells=cells, sequences=sequences))
    assert [index for pack in plan for index in pack] == list(range(len(made)))
    for pack in plan:
        assert sum(made[index].cells for index in pack) <= cells
        assert sum(len(made[index].suffixes) for index in pack) <= sequences


@given(groups)
def test_every_scored_token_follows_all_before_it(made: list[Group]) -> None:
    """Rebuild each sequence from the cells tagged with it; each target must be the token that comes next."""
    histories: dict[int, list[int]] = {}
    wanted: list[Target] = []
    for cell in lay_out(made, range(len(made))):
        for sequence in cell.sequences:
            assert cell.position == len(histories.setdefault(sequence, []))
            histories[sequence].append(cell.token)
        for target in cell.targets:
            before = made[target.group].prefix + made[target.group].suffixes[target.suffix][: target.place]
            assert any(tuple(histories[sequence]) == before for sequence in cell.sequences)
            assert made[target.group].suffixes[target.suffix][target.place] == target.token
            wanted.append(target)
    assert len(wanted) == len(set(wanted)) == sum(len(suffix) for group in made for suffix in group.suffixes)


@given(groups, st.integers(1, 7), st.integers(1, 3))
def test_cut_keeps_order_and_limits(made: list[Group], size: int, rows: int) -> None:
    cells = list(lay_out(made, range(len(made))))
    batches = list(cut(iter(cells), tokens=size, rows=rows))
    assert [cell for batch in batches for cell in batch] == cells
    assert all(len(batch) <= size and sum(bool(cell.targets) for cell in batch) <= rows for batch in batches)


def test_common_prefix() -> None:
    assert common_prefix([[1, 2, 3], [1, 2], [1, 2, 4]]) == 2
    assert common_prefix([[1, 2], [3]]) == 0
