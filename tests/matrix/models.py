"""Small sound GGUF files that cost nothing to make, and one that lies."""

from __future__ import annotations

import random
import struct
from functools import cache

_STRING, _UINT16, _INT32 = 8, 2, 5


@cache
def gguf(size: int, seed: int = 0, part: int = 0, parts: int = 0) -> bytes:
    """Return a GGUF file of about ``size`` bytes, one tensor of noise; ``parts``: the ``part``-th file of a split set."""
    size = size // 32 * 32
    return head(size, part, parts) + random.Random(seed).randbytes(size)


def head(size: int, part: int = 0, parts: int = 0) -> bytes:
    """Return what stands before the ``size`` bytes of noise, a multiple of 32."""
    keys = [_text("general.architecture", "llama"), _text("general.license", "apache-2.0")] if part == 0 else []
    if parts:
        keys += [
            _key("split.no", _UINT16, struct.pack("<H", part)),
            _key("split.count", _UINT16, struct.pack("<H", parts)),
            _key("split.tensors.count", _INT32, struct.pack("<i", parts)),
        ]
    tensor = _string(f"blk.{part}.attn_q.weight") + struct.pack("<IQIQ", 1, size // 4, 0, 0)
    start = b"GGUF" + struct.pack("<IQQ", 3, 1, len(keys)) + b"".join(keys) + tensor
    return start + bytes(-len(start) % 32)


def endless() -> bytes:
    """Return a file whose header announces 2⁶⁴ - 1 keys."""
    return b"GGUF" + struct.pack("<IQQ", 3, 1, 2**64 - 1) + _text("general.architecture", "llama") + bytes(4096)


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _key(name: str, kind: int, value: bytes) -> bytes:
    return _string(name) + struct.pack("<I", kind) + value


def _text(name: str, value: str) -> bytes:
    return _key(name, _STRING, _string(value))
