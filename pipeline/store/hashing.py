"""One pass over bytes for two digests: of the whole, and of each 64 MiB leaf, so that a repair can tell which part is bad."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from pipeline.core.digest import CHUNK, Digest
from pipeline.store.layout import LEAF


class Hasher:
    """Feed bytes in order; ask for the digest and the leaves at the end."""

    def __init__(self) -> None:
        self._whole = hashlib.sha256()
        self._leaf = hashlib.sha256()
        self._in_leaf = 0
        self._leaves: list[str] = []
        self.size = 0

    def update(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        self._whole.update(view)
        self.size += len(view)
        while len(view):
            part = view[: LEAF - self._in_leaf]
            self._leaf.update(part)
            self._in_leaf += len(part)
            view = view[len(part) :]
            if self._in_leaf == LEAF:
                self._leaves.append(self._leaf.hexdigest())
                self._leaf, self._in_leaf = hashlib.sha256(), 0

    @property
    def digest(self) -> Digest:
        return Digest(self._whole.hexdigest())

    @property
    def leaves(self) -> tuple[str, ...]:
        return (*self._leaves, *([self._leaf.hexdigest()] if self._in_leaf else []))

    def read(self, path: Path, advance: Callable[[int], None] = lambda _: None) -> Hasher:
        """Feed a whole file; ``advance`` is told the bytes. Returns itself. Raises OSError."""
        buffer = bytearray(CHUNK)
        view = memoryview(buffer)
        with path.open("rb", buffering=0) as file:
            while size := file.readinto(buffer):
                self.update(view[:size])
                advance(size)
        return self
