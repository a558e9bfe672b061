"""Writes GGUF files: metadata as another file stores it, with some of it changed, and tensors of one's own.

Values that are kept are copied as bytes, so that a vocabulary of 262k tokens costs milliseconds, and what a parser would
lose (bytes that are not UTF-8, types) stays.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from pipeline.gguf.header import DEFAULT_ALIGNMENT, Header
from pipeline.gguf.types import ARRAY, SCALARS, STRING, TENSOR_TYPES, TENSOR_TYPES_BY_NAME, UINT32, TensorType
from pipeline.gguf.values import LENGTH

FLOAT32, BOOL, INT64 = 6, 7, 11
_VERSION = 3
_NUMBERS = {kind.name: number for number, kind in TENSOR_TYPES.items()}

Value = str | bytes | bool | int | float


@dataclass(frozen=True)
class NewTensor:
    """A tensor to write: ``shape`` with the fastest axis first, ``type`` as ``TENSOR_TYPES`` names it. Without ``data`` it
    is a hole in the file: zeros that take no space on disk.
    """

    name: str
    shape: tuple[int, ...]
    type: str = "F32"
    data: bytes | None = None

    @property
    def kind(self) -> TensorType:
        return TENSOR_TYPES_BY_NAME[self.type.lower()]

    @property
    def nbytes(self) -> int:
        return self.kind.size(prod(self.shape))


def packed(value: Value | Sequence[Value], kind: int | None = None) -> bytes:
    """Return a metadata value as files store it, its type number (4 bytes) before it: what ``Header.raw`` returns too.

    ``kind`` is the type's number, for a sequence its items'; else text is a string, a whole number uint32 (int64 where it
    does not fit), any other float32.
    """
    if isinstance(value, Value):
        number = _kind(value) if kind is None else kind
        return number.to_bytes(4, "little") + _content(value, number)
    number = kind if kind is not None else _kind(value[0]) if value else UINT32
    items = b"".join(_content(item, number) for item in value)
    return struct.pack("<IIQ", ARRAY, number, len(value)) + items


def _kind(value: Value) -> int:
    if isinstance(value, (str, bytes)):
        return STRING
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, float):
        return FLOAT32
    return UINT32 if 0 <= value < 1 << 32 else INT64


def _content(value: Value, kind: int) -> bytes:
    if isinstance(value, (str, bytes)):
        raw = value.encode() if isinstance(value, str) else value
        return LENGTH.pack(len(raw)) + raw
    return struct.pack("<" + SCALARS[kind], value)


def kept(header: Header, wanted: Callable[[str], bool] = lambda _: True) -> dict[str, bytes]:
    """Return the metadata of a file whose keys are ``wanted``, each value as stored, in the file's order."""
    return {key: header.raw(key) for key in header.metadata if wanted(key)}


def changed(header: Header, changes: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """Return a file's metadata with some of it replaced, added, or taken out (None)."""
    return {
        key: value
        for key, value in {**{key: header.raw(key) for key in header.metadata}, **changes}.items()
        if value is not None
    }


def head(metadata: Mapping[str, bytes], tensors: Sequence[NewTensor] = ()) -> bytes:
    """Return all of a file that stands before the weights, padded to where they begin. ``metadata`` maps keys to values as
    stored; the alignment is the one it says.
    """
    alignment, offset = _alignment(metadata), 0
    parts = [b"GGUF", struct.pack("<IQQ", _VERSION, len(tensors), len(metadata))]
    for key, value in metadata.items():
        parts += [_content(key, STRING), value]
    for tensor in tensors:
        dimensions = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
        parts += [_content(tensor.name, STRING), dimensions, struct.pack("<IQ", _NUMBERS[tensor.kind.name], offset)]
        offset += tensor.nbytes + -tensor.nbytes % alignment
    length = sum(map(len, parts))
    return b"".join([*parts, b"\0" * (-length % alignment if tensors else 0)])


def write_gguf(path: Path, metadata: Mapping[str, bytes], tensors: Sequence[NewTensor] = ()) -> None:
    """Write a file, version 3, little-endian. Raises ValueError when a tensor's data has another size than its shape
    says.
    """
    alignment = _alignment(metadata)
    with path.open("wb") as file:
        file.write(head(metadata, tensors))
        for tensor in tensors:
            if tensor.data is not None:
                if len(tensor.data) != tensor.nbytes:
                    raise ValueError(f"{tensor.name} has {len(tensor.data)} bytes, its shape needs {tensor.nbytes}")
                file.write(tensor.data)
            else:
                file.seek(tensor.nbytes, 1)
            file.seek(-tensor.nbytes % alignment, 1)
        file.truncate()


def _alignment(metadata: Mapping[str, bytes]) -> int:
    stored = metadata.get("general.alignment")
    return int.from_bytes(stored[4:8], "little") if stored else DEFAULT_ALIGNMENT
