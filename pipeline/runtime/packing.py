"""How sequences share decodes: pure, so that the same groups always give the same batches.

The numbers that llama.cpp returns for quantised weights depend a little on the shape of a batch. Packing is therefore a
function of the groups alone, in the order given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """Token sequences with a common beginning: ``prefix`` is read once, each of ``suffixes`` is scored after it. None
    may be empty."""

    prefix: Tokens
    suffixes: tuple[Tokens, ...]

    def __post_init__(self) -> None:
        if not self.prefix or not self.suffixes or not all(self.suffixes):
            raise ValueError("a group needs a prefix and suffixes of one token at least")

    @property
    def cells(self) -> int:
        """Places in the KV cache: a suffix's last token is only predicted, never read."""
        return len(self.prefix) + sum(len(suffix) - 1 for suffix in self.suffixes)

    @property
    def length(self) -> int:
        """Tokens of the longest sequence."""
        return len(self.prefix) + max(map(len, self.suffixes))


@dataclass(frozen=True)
class Target:
    """A token whose log-probability is wanted, and whose it is: group, suffix and place in the suffix."""

    group: int
    suffix: int
    place: int
    token: int


@dataclass(frozen=True)
class Cell:
    """One token to decode: its position, the sequences it belongs to, and what is asked of its row of logits."""

    token: int
    position: int
    sequences: tuple[int, ...]
    targets: tuple[Target, ...]


def packs(groups: Sequence[Group], *, cells: int, sequences: int) -> Iterator[list[int]]:
    """Yield runs of neighbouring groups, by index, that fit ``cells`` places and ``sequences`` sequences together."""
    pack: list[int] = []
    used = taken = 0
    for index, group in enumerate(groups):
        if pack and (used + group.cells > cells or taken + len(group.suffixes) > sequences):
            yield pack
            pack, used, taken = [], 0, 0
        pack.append(index)
        used += group.cells
        taken += len(group.suffixes)
    if pack:
        yield pack


def lay_out(groups: Sequence[Group], pack: Sequence[int]) -> Iterator[Cell]:
    """Yield a pack's tokens in the order of decoding: each group's prefix, tagged with all its sequences, then its
    suffixes."""
    base = 0
    for index in pack:
        group = groups[index]
        ours = tuple(range(base, base + len(group.suffixes)))
        first = tuple(Target(index, i, 0, suffix[0]) for i, suffix in enumerate(group.suffixes))
        for position, token in enumerate(group.prefix):
            yield Cell(token, position, ours, first if position == len(group.prefix) - 1 else ())
        for i, suffix in enumerate(group.suffixes):
            for place, token in enumerate(suffix[:-1]):
                following = Target(index, i, place + 1, suffix[place + 1])
                yield Cell(token, len(group.prefix) + place, (ours[i],), (following,))
        base += len(group.suffixes)


def cut(stream: Iterator[Cell], *, tokens: int, rows: int) -> Iterator[list[Cell]]:
    """Cut a stream into batches of at most ``tokens`` cells, of which at most ``rows`` ask for logits."""
    batch: list[Cell] = []
    asked = 0
    for cell in stream:
        if len(batch) == tokens or (asked == rows and cell.targets):
            yield batch
            batch, asked = [], 0
        batch.append(cell)
        asked += bool(cell.targets)
    if batch:
        yield batch


def common_prefix(sequences: Sequence[Sequence[int]]) -> int:
    """Return how many leading tokens all ``sequences`` share."""
    shortest = min(map(len, sequences))
    first = sequences[0]
    return next((i for i in range(shortest) if any(other[i] != first[i] for other in sequences)), shortest)
