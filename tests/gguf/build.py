"""A GGUF file written byte by byte, so that tests can break any of them."""

from __future__ import annotations

import struct
from collections.abc import Sequence

UINT32, STRING, ARRAY = 4, 8, 9


def text(raw: str | bytes) -> bytes:
    """A string as stored: its length, its bytes."""
    content = raw.encode() if isinstance(raw, str) else raw
    return struct.pack("<Q", len(content)) + content


def pair(key: str, kind: int, value: bytes) -> bytes:
    """A metadata key and its value."""
    return text(key) + struct.pack("<I", kind) + value


def strings(key: str, items: Sequence[str]) -> bytes:
    """A metadata key and an array of strings."""
    return pair(key, ARRAY, struct.pack("<IQ", STRING, len(items)) + b"".join(map(text, items)))


def tensor(name: str, shape: Sequence[int], kind: int = 0, offset: int = 0) -> bytes:
    """What the header says of a tensor."""
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def file(pairs: Sequence[bytes] = (), tensors: Sequence[bytes] = (), data: int = 0, alignment: int = 32) -> bytes:
    """A whole file: ``data`` bytes of weights after the header, which is padded to ``alignment``."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs) + b"".join(tensors)
    return head + b"\0" * (-len(head) % alignment if tensors else 0) + b"\0" * data


ARCHITECTURE = pair("general.architecture", STRING, text("llama"))
