"""``Digest``: the only way to name content. A string from outside becomes one through ``Digest.parse`` or not at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20
_PATTERN = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, order=True)
class Digest:
    """A sha256 digest. ``str(Digest.parse(s)) == s`` for every valid ``s``."""

    hex: str

    def __post_init__(self) -> None:
        if not _PATTERN.fullmatch(f"sha256:{self.hex}"):
            raise ValueError(f"not a sha256 digest: {self.hex!r}")

    def __str__(self) -> str:
        return f"sha256:{self.hex}"

    @property
    def short(self) -> str:
        """The first twelve hex digits, for people."""
        return self.hex[:12]

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read ``sha256:<64 lower-case hex digits>``. Raises ValueError on anything else."""
        if not isinstance(text, str) or not _PATTERN.fullmatch(text):
            raise ValueError(f"not a digest: {text!r} (want sha256: and 64 lower-case hex digits)")
        return cls(text.removeprefix("sha256:"))

    @classmethod
    def of(cls, content: bytes) -> Digest:
        """Return the digest of ``content``."""
        return cls(hashlib.sha256(content).hexdigest())

    @classmethod
    def of_file(cls, path: Path, advance: Callable[[int], None] = lambda _: None) -> Digest:
        """Hash a file in one pass; ``advance`` is told the bytes read. Raises OSError."""
        hasher, buffer = hashlib.sha256(), bytearray(CHUNK)
        view = memoryview(buffer)
        with path.open("rb", buffering=0) as file:
            while size := file.readinto(buffer):
                hasher.update(view[:size])
                advance(size)
        return cls(hasher.hexdigest())
