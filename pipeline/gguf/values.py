"""Metadata arrays that stay in the file's bytes until someone asks for an item."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from mmap import mmap
from typing import Any, overload

from pipeline.gguf.types import SCALARS, STRING

LENGTH = struct.Struct("<Q")


@dataclass
class Source:
    """The bytes that a header was read from; replaced by a copy of the header alone once it is parsed."""

    data: bytes | mmap


def text(raw: bytes) -> str:
    """Decode a metadata string; bytes that are not UTF-8 become U+FFFD, as real vocabularies do hold such tokens."""
    return raw.decode("utf-8", "replace")


class Array(Sequence[Any]):
    """A metadata array: ``len``, index, slice (a list) and iteration; ``kind`` is the items' value type.

    Numbers are packed from ``start``. ``offsets`` (strings only) holds where each string's length field begins.
    """

    __slots__ = ("_code", "_count", "_offsets", "_source", "_start", "kind")

    def __init__(self, source: Source, kind: int, start: int, count: int, offsets: array[int] | None = None) -> None:
        self.kind = kind
        self._source = source
        self._start = start
        self._count = count
        self._offsets = offsets
        self._code = None if kind == STRING else struct.Struct("<" + SCALARS[kind])

    def __len__(self) -> int:
        return self._count

    def _item(self, index: int) -> Any:
        data = self._source.data
        if self._code is not None:
            return self._code.unpack_from(data, self._start + index * self._code.size)[0]
        assert self._offsets is not None
        begin = self._offsets[index]
        return text(data[begin + 8 : begin + 8 + LENGTH.unpack_from(data, begin)[0]])

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self._item(i) for i in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        return self._item(index % self._count)

    def __iter__(self) -> Iterator[Any]:
        """Walk over all items: several times as fast as asking for one after the other."""
        data = self._source.data
        if self._code is not None:
            packed = data[self._start : self._start + self._count * self._code.size]
            return (item for (item,) in self._code.iter_unpack(packed))
        assert self._offsets is not None
        # Each string ends where the next one begins.
        between = (text(data[begin + 8 : end]) for begin, end in pairwise(self._offsets))
        return chain(between, [self._item(self._count - 1)] if self._count else [])

    def stored(self) -> Iterator[bytes]:
        """Walk over all strings as they are stored, each with its length before it (8 bytes); nothing is decoded, which is
        the fastest walk there is.
        """
        assert self._offsets is not None
        if not self._count:
            return iter(())
        last = self._offsets[-1]
        end = last + LENGTH.size + LENGTH.unpack_from(self._source.data, last)[0]
        return map(self._source.data.__getitem__, map(slice, self._offsets, chain(self._offsets[1:], [end])))

    def __repr__(self) -> str:
        return f"<array of {self._count:,} {'strings' if self.kind == STRING else 'numbers'}>"
