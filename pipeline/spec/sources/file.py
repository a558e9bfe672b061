"""Files of this machine: ``file:PATH``, relative to the spec's folder.

In locks the path is relative to the project's root, with ``../`` where it leads out of it, so that no lock names a place
of one machine. Absolute paths are refused for that reason: a link to the file, inside the project, says the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.core.errors import UsageError
from pipeline.spec.sources._base import Blob, Resolved, Stream
from pipeline.spec.sources._splits import split_set

SCHEMES = ("file",)
EXAMPLE = "file:../models/tiny-chat/tiny-chat-q8_0.gguf"
LOCAL = True
_CHUNK = 1 << 20


def check(reference: str) -> None:
    """Refuse absolute paths, and those that no file can have."""
    path = _path(reference)
    if path.is_absolute():
        hint = f"link the file into the project and write a path from the spec's folder, as in {EXAMPLE}"
        raise UsageError(f"{reference} is a path of this machine alone", hint=hint)
    if not path.name.isprintable() or path.name in ("", ".."):
        raise UsageError(f"{reference!r} names no file", hint=f"write for instance {EXAMPLE}")


def resolve(reference: str, *, folder: Path, root: Path, before: datetime | None = None) -> Resolved:
    """Find the file and its size; of a split set, the other files beside it. ``before`` is not asked: the user put the file there."""
    check(reference)
    # Only the folder's links are followed: a link to the file stands for it, wherever it leads on this machine.
    path = Path(os.path.normpath(folder.resolve() / _path(reference)))
    if not _is_file(path):
        hint = "a path in a spec counts from the spec's folder"
        raise UsageError(f"no such file: {path} (from {reference!r})", hint=hint)
    blobs: list[Blob] = []
    for name in split_set(path.name):
        one = path.with_name(name)
        if not _is_file(one):
            raise UsageError(f"no such file: {one}", hint=f"{path.name} is one of a split set; all of it is wanted")
        pinned = f"file:{Path(os.path.relpath(one, root.resolve())).as_posix()}"
        blobs.append(Blob(name, pinned, one.stat().st_size, None, "shard" if blobs else "weights"))
    return Resolved(blobs[0].url, tuple(blobs))


def open(url: str, *, root: Path) -> LocalFile:
    """Return the file."""
    check(url)
    path = root.resolve() / _path(url)
    if not _is_file(path):
        raise UsageError(f"no such file: {path}", hint="the lock names this file; bring it back")
    return LocalFile(path)


@dataclass(frozen=True)
class LocalFile:
    """A file of this machine. ``path`` lets a store take it by a link or a reflink instead of copying."""

    path: Path
    parallel: int = 1

    @contextmanager
    def read(self, start: int = 0, end: int | None = None) -> Iterator[Stream]:
        """Read a range."""
        try:
            opened = self.path.open("rb", buffering=0)
        except OSError as error:
            raise UsageError(f"can't read {self.path}: {error.strerror}", hint="the lock names this file") from None
        with opened:
            opened.seek(start)
            left = None if end is None else end - start
            yield Stream(start, self.path.stat().st_size, _chunks(self.path, opened.read, left))


def _path(reference: str) -> Path:
    return Path(reference.removeprefix("file:"))


def _chunks(path: Path, take: Callable[[int], bytes], left: int | None) -> Iterator[bytes]:
    while left is None or left > 0:
        try:
            chunk = take(_CHUNK if left is None else min(_CHUNK, left))
        except OSError as error:
            raise UsageError(f"can't read {path}: {error.strerror}", hint="is the disk in order?") from None
        if not chunk:
            return
        left = None if left is None else left - len(chunk)
        yield chunk


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # a folder on the way may not be searched
        raise UsageError(f"can't read {path}: {error.strerror}", hint="check who may read it") from None
