"""A bounded reader of GGUF headers (versions 2 and 3, little-endian).

Every count, length and offset is checked against the file before anything is read or allocated, so a hostile file
costs at most a few times its header. What llama.cpp itself refuses (``gguf.cpp``: duplicate keys, gaps between
tensors, broken blocks …) is refused here too, with the byte at fault.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from mmap import ACCESS_READ, mmap
from pathlib import Path
from stat import S_ISREG
from typing import Any, NoReturn

from pipeline.core.errors import UsageError
from pipeline.gguf.types import ARRAY, SCALARS, STRING, TENSOR_TYPES, UINT32
from pipeline.gguf.values import LENGTH, Array, Source, text

MAX_HEADER = 128 << 20
MAX_ENTRIES = 1 << 16
MAX_NAME = 63
MAX_DIMENSIONS = 4
DEFAULT_ALIGNMENT = 32
AGAIN = "the file is damaged or was badly converted: fetch it again, and if it stays so, tell its publisher"
CUT = "the file is cut short: fetch it again"


class GgufError(UsageError):
    """A GGUF file is malformed. ``offset`` is the byte at which that shows."""

    def __init__(self, message: str, *, offset: int = 0, hint: str = AGAIN) -> None:
        super().__init__(f"{message} (at byte {offset})", hint=hint)
        self.offset = offset


class HeaderCut(GgufError):
    """The bytes end before the header does, and the file goes on: ``wanted`` bytes of it are needed at least."""

    def __init__(self, message: str, *, offset: int, wanted: int) -> None:
        super().__init__(message, offset=offset, hint=CUT)
        self.wanted = wanted


@dataclass(frozen=True)
class Tensor:
    """One tensor: ``shape`` with the fastest axis first, ``offset`` and ``nbytes`` in bytes, the offset from the
    file's start.
    """

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    nbytes: int

    @property
    def elements(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Header:
    """What stands before the weights. Arrays in ``metadata`` are lazy sequences; ``raw`` gives a key's bytes as
    stored.
    """

    version: int
    metadata: Mapping[str, Any]
    tensors: tuple[Tensor, ...]
    data_offset: int
    alignment: int
    size: int
    source: Source = field(repr=False, compare=False)
    spans: Mapping[str, tuple[int, int, int]] = field(repr=False, compare=False)

    def raw(self, key: str) -> bytes:
        """Return a key's value as it is stored, its type number (4 bytes) before it."""
        kind, start, end = self.spans[key]
        return kind.to_bytes(4, "little") + self.source.data[start:end]


def read_header(path: Path) -> Header:
    """Read a file's header; nothing of the file stays open. Raises GgufError, and UsageError when it can't be read at
    all.
    """
    try:
        if not S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise GgufError(f"{path}: not a plain file", hint="name a GGUF file")
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size == 0:
                raise GgufError(f"{path}: the file is empty", hint=CUT)
            with mmap(file.fileno(), 0, access=ACCESS_READ) as view:
                header = parse_header(view, size, name=str(path))
                header.source.data = view[: header.data_offset]
                return header
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror or error}", hint="name a GGUF file that exists and that you may read"
        ) from None


def parse_header(data: bytes | mmap, size: int, *, name: str = "GGUF") -> Header:
    """Parse a header from the first bytes of a file of ``size`` bytes; ``name`` stands in the messages. Raises
    GgufError, and HeaderCut when it might be sound but is longer than ``data``.
    """
    reader = _Reader(data, size, name)
    version, tensor_count = reader.preamble()
    spans: dict[str, tuple[int, int, int]] = {}
    metadata: dict[str, Any] = {}
    for _ in range(reader.count("metadata keys", 13)):
        at = reader.position
        key = reader.key()
        if key in metadata:
            reader.fail(f"the key {key!r} stands twice", at)
        kind = reader.number("I")
        start = reader.position
        metadata[key] = reader.value(key, kind)
        spans[key] = (kind, start, reader.position)
    alignment = DEFAULT_ALIGNMENT
    if "general.alignment" in metadata:
        kind, start, _ = spans["general.alignment"]
        alignment = metadata["general.alignment"]
        if kind != UINT32 or alignment == 0 or alignment & (alignment - 1):
            reader.fail(f"general.alignment is {alignment!r}, want a power of two as uint32", start)
    described = reader.tensors(tensor_count)
    data_offset = _padded(reader.position, alignment) if described else reader.position
    tensors = reader.placed(described, data_offset, alignment)
    return Header(version, metadata, tensors, data_offset, alignment, size, reader.source, spans)


def _padded(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment


_Described = tuple[int, str, tuple[int, ...], int, int]


class _Reader:
    """A position in the bytes; every step checks that it stays within them."""

    def __init__(self, data: bytes | mmap, size: int, name: str) -> None:
        self.source = Source(data)
        self.data = data
        self.size = size
        self.end = min(len(data), size, MAX_HEADER)
        self.name = name
        self.position = 0
        self.codes = {letter: struct.Struct("<" + letter) for letter in SCALARS.values()}

    def fail(self, what: str, offset: int, hint: str = AGAIN) -> NoReturn:
        raise GgufError(f"{self.name}: {what}", offset=offset, hint=hint)

    def need(self, nbytes: int, what: str) -> None:
        """Fail unless ``nbytes`` more bytes are there."""
        if nbytes <= self.end - self.position:
            return
        most = min(self.size, MAX_HEADER)
        if self.position + nbytes <= most:
            message = f"{self.name}: {what} lies beyond the first {self.end} bytes"
            raise HeaderCut(message, offset=self.position, wanted=self.position + nbytes)
        if most < self.size:
            self.fail(f"{what} runs beyond {MAX_HEADER >> 20} MiB of header; no real model's does", self.position)
        left = most - self.position
        self.fail(f"{what} needs {nbytes} bytes, but {left} are left in the file", self.position, CUT)

    def number(self, letter: str) -> Any:
        code = self.codes[letter]
        self.need(code.size, "a number")
        (value,) = code.unpack_from(self.data, self.position)
        self.position += code.size
        return value

    def count(self, what: str, each: int) -> int:
        """Read a count of things that take at least ``each`` bytes."""
        at, count = self.position, int(self.number("Q"))
        if count > MAX_ENTRIES:
            self.fail(f"{count} {what}; no real model has more than {MAX_ENTRIES}", at)
        self.need(count * each, f"{count} {what}")
        return count

    def string(self, what: str) -> bytes:
        length = self.number("Q")
        self.need(length, what)
        start, self.position = self.position, self.position + length
        return self.data[start : self.position]

    def key(self) -> str:
        at = self.position
        raw = self.string("a key")
        try:
            key = raw.decode("utf-8")
        except UnicodeDecodeError:
            key = ""
        if not key:
            self.fail("a metadata key is empty or not UTF-8", at)
        return key

    def preamble(self) -> tuple[int, int]:
        """Read magic, version and the number of tensors."""
        magic = self.data[: min(4, self.end)]
        if magic != b"GGUF":
            self.fail(
                f"not a GGUF file: it begins with {magic!r}",
                0,
                "name a .gguf file; other formats must be converted with llama.cpp first",
            )
        self.position = 4
        version = self.number("I")
        if version & 0xFFFF == 0:
            self.fail("the file is big-endian", 4, "convert it with gguf-py's gguf_convert_endian.py")
        if version not in (2, 3):
            self.fail(f"GGUF version {version}, want 2 or 3", 4, "convert the model again with a current llama.cpp")
        return version, self.count("tensors", 24)

    def value(self, key: str, kind: int) -> Any:
        if kind in SCALARS:
            return self.number(SCALARS[kind])
        if kind == STRING:
            return text(self.string(key))
        if kind != ARRAY:
            self.fail(f"{key} has the unknown value type {kind}", self.position - 4)
        at, item, count = self.position, self.number("I"), self.number("Q")
        if item in SCALARS:
            nbytes = self.codes[SCALARS[item]].size * count
            self.need(nbytes, f"{key}, {count} numbers,")
            start, self.position = self.position, self.position + nbytes
            return Array(self.source, item, start, count)
        if item != STRING:
            self.fail(f"{key} is an array of the unsupported type {item}", at)
        self.need(8 * count, f"{key}, {count} strings,")
        return self.strings(key, count)

    def strings(self, key: str, count: int) -> Array:
        """Walk over ``count`` strings and note where each begins."""
        data, end, start, position = self.data, self.end, self.position, self.position
        length, offsets = LENGTH.unpack_from, array("Q")
        note = offsets.append
        limit = end - 8
        for _ in range(count):
            if position > limit:
                break
            note(position)
            position += 8 + length(data, position)[0]
        if len(offsets) < count or position > end:
            self.position = offsets[-1] if offsets else start
            more = 8 if len(offsets) < count else 0
            self.need(position - self.position + more, f"{key}, string {len(offsets) - 1} of {count},")
        self.position = position
        return Array(self.source, STRING, start, count, offsets)

    def tensors(self, count: int) -> list[_Described]:
        """Read what the header says of each tensor: where it says so, name, shape, type number, offset from the data's
        start.
        """
        described: list[_Described] = []
        names: set[str] = set()
        for _ in range(count):
            at = self.position
            raw = self.string("a tensor's name")
            name = text(raw)
            if len(raw) > MAX_NAME or name in names:
                self.fail(
                    f"the tensor name {name[:80]!r} "
                    + ("stands twice" if name in names else f"is longer than {MAX_NAME} bytes"),
                    at,
                )
            names.add(name)
            dimensions = self.number("I")
            if dimensions > MAX_DIMENSIONS:
                self.fail(f"the tensor {name} has {dimensions} dimensions, want at most {MAX_DIMENSIONS}", at)
            shape = tuple(self.number("Q") for _ in range(dimensions))
            described.append((at, name, shape, self.number("I"), self.number("Q")))
        return described

    def placed(self, described: list[_Described], data_offset: int, alignment: int) -> tuple[Tensor, ...]:
        """Check that the tensors lie one after the other within the file, as llama.cpp demands, and return them."""
        tensors, expected = [], 0
        for at, name, shape, number, offset in described:
            kind = TENSOR_TYPES.get(number)
            if kind is None:
                self.fail(
                    f"the tensor {name} has the unknown type {number}",
                    at,
                    "a newer llama.cpp may know it; otherwise " + AGAIN,
                )
            elements = prod(shape)
            if elements >= 1 << 63 or (shape[0] if shape else 1) % kind.block:
                self.fail(f"the tensor {name} of type {kind.name} can't have the shape {list(shape)}", at)
            if offset != expected:
                layout = "tensors lie one after the other, without gap or overlap"
                self.fail(f"the tensor {name} says offset {offset}, want {expected}: {layout}", at)
            nbytes = kind.size(elements)
            if data_offset + offset + nbytes > self.size:
                self.fail(
                    f"the tensor {name} ends at byte {data_offset + offset + nbytes}, but the file has {self.size}",
                    at,
                    CUT,
                )
            tensors.append(Tensor(name, shape, kind.name, data_offset + offset, nbytes))
            expected += _padded(nbytes, alignment)
        return tuple(tensors)
