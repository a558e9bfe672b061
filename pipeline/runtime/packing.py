"""How sequences share decodes: pure, so that the same groups always give the same batches.

The numbers that llama.cpp returns for quantised weights depend a little on the shape of a batch. Packing is therefore a
function of the groups alone, in the order given, and what is in one block of groups changes no other block.

Groups that begin alike, as items with the same examples in front do, are packed behind that beginning: it is decoded
once and stays in the KV cache from pack to pack.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

VERSION = 2  # raise it with every change that gives other batches: scores of the version before are then not used again
WORTH = 64  # tokens that may be read more than once before they are shared

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

    @property
    def scored(self) -> int:
        """Tokens whose log-probability is wanted."""
        return sum(map(len, self.suffixes))


@dataclass(frozen=True)
class Packing:
    """The rules of packing: at most ``tokens`` in a decode, of at most ``sequences`` sequences; no pack reaches over the
    end of a block of ``block`` groups."""

    tokens: int = 512
    sequences: int = 64
    block: int = 64


PACKED = Packing()
# Other batches for the same groups: what the numbers move by from one to the other is noise.
REPACKED = Packing(tokens=160, sequences=20, block=24)


@dataclass(frozen=True)
class Pack:
    """Groups that are decoded together behind ``shared``, their common beginning. ``first`` is the number of the first
    of them."""

    first: int
    shared: Tokens
    groups: tuple[Group, ...]

    @property
    def cells(self) -> int:
        """Places in the KV cache."""
        return len(self.shared) + sum(group.cells - len(self.shared) for group in self.groups)

    @property
    def sequences(self) -> int:
        return sum(len(group.suffixes) for group in self.groups)

    @property
    def scored(self) -> int:
        return sum(group.scored for group in self.groups)

    def digest(self, packing: Packing) -> bytes:
        """Return the sha256 of all that decides about its numbers, but for the model and the engine."""
        numbers = [VERSION, packing.tokens, len(self.shared)]
        for group in self.groups:
            for tokens in (group.prefix, *group.suffixes):
                numbers += [len(tokens), *tokens]
            numbers.append(-1)
        return hashlib.sha256(struct.pack(f"<{len(numbers)}i", *numbers)).digest()


@dataclass(frozen=True)
class Target:
    """A token whose log-probability is wanted, and whose it is: group of the pack, suffix and place in the suffix."""

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


def packs(groups: Iterable[Group], packing: Packing = PACKED) -> Iterator[Pack]:
    """Yield the groups in packs, in order. Only one block is held, however many groups there are."""
    first = 0
    source = iter(groups)
    while block := list(islice(source, packing.block)):
        yield from _packs_of(block, first, packing)
        first += len(block)


def _packs_of(block: Sequence[Group], first: int, packing: Packing) -> Iterator[Pack]:
    """Packs share what the whole block begins with, or more where that is worth its own decode. So neighbours that have a
    word more in common by chance decode nothing anew."""
    base = common_prefix([group.prefix[:-1] for group in block])  # the last token of a prefix is a group's own
    pack: list[Group] = []
    common = new = sequences = 0
    for number, group in enumerate(block, first):
        if pack:
            still = common_prefix([pack[0].prefix[:common], group.prefix[:-1]])
            now, then = _worth(common, base), _worth(still, base)
            grown = new + (now - then) * len(pack) + group.cells - then
            full = grown > packing.tokens or sequences + len(group.suffixes) > packing.sequences
            if full or (now - then) * (len(pack) - 1) > WORTH:
                yield Pack(number - len(pack), pack[0].prefix[:now], tuple(pack))
                pack = []
            else:
                common, new = still, grown
        if not pack:
            common, sequences = len(group.prefix) - 1, 0
            new = group.cells - _worth(common, base)
        pack.append(group)
        sequences += len(group.suffixes)
    yield Pack(first + len(block) - len(pack), pack[0].prefix[: _worth(common, base)], tuple(pack))


def _worth(common: int, base: int) -> int:
    return common if common > base + WORTH else base


def lay_out(pack: Pack) -> Iterator[Cell]:
    """Yield a pack's tokens behind ``shared`` in the order of decoding: each group's own prefix, tagged with all its
    sequences, then its suffixes. Sequences count from 1: 0 is ``shared``."""
    base, start = 1, len(pack.shared)
    for index, group in enumerate(pack.groups):
        ours = tuple(range(base, base + len(group.suffixes)))
        first = tuple(Target(index, i, 0, suffix[0]) for i, suffix in enumerate(group.suffixes))
        for position, token in enumerate(group.prefix[start:], start):
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
