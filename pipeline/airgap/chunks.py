"""Files that are written in a row: one, or chunks of a size, with the sums of each and of the whole. They appear together or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import BinaryIO, Self

from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.core.files import atomic_write, fsync_folder

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
LEAST = 1 << 20


def parse_size(text: str) -> int:
    """Return a size in bytes: ``4G``, ``3900M``, in binary units. Raises UsageError."""
    found = re.fullmatch(r"([0-9]{1,15})([KMGT]?)(i?B)?", text.strip(), re.IGNORECASE)
    size = int(found[1]) * _UNITS[found[2].upper()] if found else 0
    if size < LEAST:
        raise UsageError(f"not a size of chunks: {text!r}", hint="write for instance 3900M; the least is 1M")
    return size


class Chunks:
    """Write ``base``, or ``base.001`` and on, in pieces of ``chunk`` bytes. When the block ends without an error they get their names, and
    ``base.sums`` last; else nothing is left. Read ``paths``, ``size`` and ``digest`` afterwards.
    """

    def __init__(self, base: Path, chunk: int | None, *, force: bool = False) -> None:
        self.base, self.chunk, self.size = base, chunk, 0
        self._whole, self._one, self._room = hashlib.sha256(), hashlib.sha256(), 0
        self._file: BinaryIO | None = None
        self._mark = secrets.token_hex(4)
        self._made: list[tuple[Path, Path]] = []  # temporary and final names
        self._sums: list[str] = []
        if re.search(r"\.(\d{3,6}|sums)$", base.name):
            raise UsageError(f"{base.name} looks like a part of a bundle", hint="name it for instance models.tar")
        self._before = [path for path in self._siblings() if path.exists()]
        if self._before and not force:
            raise UsageError(f"{self._before[0]} exists", hint="--force replaces it, with all that belongs to it")

    @property
    def paths(self) -> list[Path]:
        """The files that were written, the sums last."""
        return [*(final for _, final in self._made), self._sums_path]

    @property
    def digest(self) -> Digest:
        """The digest of the whole."""
        return Digest(self._whole.hexdigest())

    def __enter__(self) -> Self:
        return self

    def write(self, data: bytes) -> None:
        """Write on, in as many files as it takes."""
        view = memoryview(data)
        self._whole.update(view)
        self.size += len(view)
        while len(view):
            if self._file is None or (self.chunk and not self._room):
                self._next()
            part = view[: self._room] if self.chunk else view
            assert self._file is not None
            self._file.write(part)
            if self.chunk:
                self._one.update(part)
            self._room -= len(part)
            view = view[len(part) :]

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        placed: list[Path] = []
        try:
            self._close()
            if kind is None:
                self._publish(placed)
                placed.clear()
        finally:
            for path in [*placed, *(temporary for temporary, _ in self._made)]:
                path.unlink(missing_ok=True)

    @property
    def _sums_path(self) -> Path:
        return self.base.with_name(f"{self.base.name}.sums")

    def _siblings(self) -> list[Path]:
        chunks = re.compile(re.escape(self.base.name) + r"\.\d{3,6}")
        there = [path for path in self.base.parent.iterdir() if chunks.fullmatch(path.name)]
        return [self._sums_path, self.base, *sorted(there)]

    def _next(self) -> None:
        self._close()
        number = len(self._made) + 1
        final = self.base.with_name(f"{self.base.name}.{number:03d}") if self.chunk else self.base
        temporary = final.with_name(f".{final.name}.{self._mark}")
        self._made.append((temporary, final))
        self._file, self._one, self._room = temporary.open("xb"), hashlib.sha256(), self.chunk or 0

    def _close(self) -> None:
        if self._file is None:
            return
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        self._sums.append((self._one if self.chunk else self._whole).hexdigest())

    def _publish(self, placed: list[Path]) -> None:
        for path in self._before:  # the sums first: what is left of an old bundle must not look whole
            path.unlink(missing_ok=True)
        for temporary, final in self._made:
            placed.append(final)
            os.replace(temporary, final)
        fsync_folder(self.base.parent)
        lines = [f"# size {self.size} chunk {self.chunk or 0} sha256 {self._whole.hexdigest()}"]
        lines += [f"{sum}  {final.name}" for sum, (_, final) in zip(self._sums, self._made, strict=True)]
        atomic_write(self._sums_path, "\n".join(lines) + "\n")
