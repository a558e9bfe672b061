from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.packing import PACKED, REPACKED, Group, Pack, Packing, Target, common_prefix, cut, lay_out, packs

tokens = st.lists(st.integers(0, 9), min_size=1, max_size=6).map(tuple)
groups = st.lists(st.builds(Group, tokens, st.lists(tokens, min_size=1, max_size=4).map(tuple)), min_size=1, max_size=9)


def test_group_counts_what_is_read() -> None:
    group = Group((1, 2, 3), ((4, 5), (6,)))
    assert (group.cells, group.length) == (4, 5)


@pytest.mark.parametrize(("prefix", "suffixes"), [((), ((1,),)), ((1,), ()), ((1,), ((2,), ()))])
def test_group_without_tokens_is_refused(prefix: tuple[int, ...], suffixes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match="one token"):
        Group(prefix, suffixes)


packings = st.builds(Packing, st.integers(24, 60), st.integers(4, 9), st.integers(1, 9))
# Behind some of these a beginning of 80 tokens is worth a decode of its own.
begun = st.tuples(groups, st.sampled_from([(), (7,) * 80, (8,) * 80])).map(
    lambda drawn: [Group(drawn[1] + group.prefix, group.suffixes) for group in drawn[0]]
)
many = st.lists(begun, min_size=1, max_size=3).map(lambda parts: [group for part in parts for group in part])


@given(many, packings)
def test_packs_keep_order_and_limits(made: list[Group], packing: Packing) -> None:
    plan = list(packs(made, packing))
    assert [group for pack in plan for group in pack.groups] == made
    assert [pack.first for pack in plan] == [sum(len(one.groups) for one in plan[:i]) for i in range(len(plan))]
    for pack in plan:
        assert len(pack.groups) == 1 or pack.cells - len(pack.shared) <= packing.tokens
        assert len(pack.groups) == 1 or pack.sequences <= packing.sequences
        assert all(group.prefix[: len(pack.shared)] == pack.shared for group in pack.groups)
        assert all(len(pack.shared) < len(group.prefix) for group in pack.groups)
        assert pack.first // packing.block == (pack.first + len(pack.groups) - 1) // packing.block


@given(many, packings)
def test_a_block_is_packed_alike_wherever_it_stands(made: list[Group], packing: Packing) -> None:
    """What is kept of one block stays good when items of another change."""
    plan = [pack for pack in packs(made, packing) if pack.first >= packing.block]
    again = list(packs(made[packing.block :], packing))
    assert [pack.digest(packing) for pack in plan] == [pack.digest(packing) for pack in again]


def test_what_all_begin_with_is_shared_and_a_word_in_common_by_chance_is_not() -> None:
    examples = tuple(range(200))
    made = [Group((*examples, 900 + i % 4 // 2, i), ((1, 2), (3,))) for i in range(12)]
    assert {pack.shared for pack in packs(made, Packing(tokens=20))} == {examples}
    apart = [*made, *(Group((*range(300, 500), i), ((1,),)) for i in range(12))]
    assert [(len(pack.shared), len(pack.groups)) for pack in packs(apart, Packing(tokens=512))] == [
        (200, 12),
        (200, 12),
    ]


def test_digest_moves_with_every_token_and_rule() -> None:
    def digest(*made: Group, packing: Packing = PACKED) -> bytes:
        (pack,) = packs(made, packing)
        return pack.digest(packing)

    one = Group((1, 2), ((3, 4), (5,)))
    others = [
        (Group((1, 2), ((3, 4), (6,))),),
        (Group((1,), ((2, 3, 4), (5,))),),
        (Group((1, 2), ((3, 4, 5),)),),
        (Group((1, 2), ((3, 4),)), Group((1, 2), ((5,),))),
    ]
    digests = [digest(one), *(digest(*made) for made in others), digest(one, packing=REPACKED)]
    assert len(set(digests)) == len(digests)
    assert digest(one) == digest(one)


@given(many, packings)
def test_every_scored_token_follows_all_before_it(made: list[Group], packing: Packing) -> None:
    """Rebuild each sequence from the cells tagged with it; each target must be the token that comes next."""
    for pack in packs(made, packing):
        histories: dict[int, list[int]] = {}
        wanted: list[Target] = []
        for cell in lay_out(pack):
            for sequence in cell.sequences:
                assert 1 <= sequence <= pack.sequences
                history = histories.setdefault(sequence, list(pack.shared))
                assert cell.position == len(history)
                history.append(cell.token)
            for target in cell.targets:
                group = pack.groups[target.group]
                before = group.prefix + group.suffixes[target.suffix][: target.place]
                assert any(tuple(histories[sequence]) == before for sequence in cell.sequences)
                assert group.suffixes[target.suffix][target.place] == target.token
                wanted.append(target)
        assert len(wanted) == len(set(wanted)) == pack.scored


@given(groups, st.integers(1, 7), st.integers(1, 3))
def test_cut_keeps_order_and_limits(made: list[Group], size: int, rows: int) -> None:
    cells = list(lay_out(Pack(0, (), tuple(made))))
    batches = list(cut(iter(cells), tokens=size, rows=rows))
    assert [cell for batch in batches for cell in batch] == cells
    assert all(len(batch) <= size and sum(bool(cell.targets) for cell in batch) <= rows for batch in batches)


def test_common_prefix() -> None:
    assert common_prefix([[1, 2, 3], [1, 2], [1, 2, 4]]) == 2
    assert common_prefix([[1, 2], [3]]) == 0
