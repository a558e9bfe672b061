"""Files of this machine: ``file:PATH``, relative to the spec's folder. In locks, paths below the project are relative to its root."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.core.errors import UsageError
from pipeline.spec.sources._base import Blob, Resolved, Stream

SCHEMES = ("file",)
EXAMPLE = "file:../models/tiny-chat/tiny-chat-q8_0.gguf"
_CHUNK = 1 << 20


def resolve(reference: str, *, folder: Path, root: Path) -> Resolved:
    """Find the file and its size."""
    path = Path(os.path.normpath(folder.resolve() / reference.removeprefix("file:")))
    if not path.is_file():
        raise UsageError(f"no such file: {path} (from {reference!r})", hint="a path in a spec counts from the spec's folder")
    inside = path.is_relative_to(root.resolve())
    pinned = f"file:{path.relative_to(root.resolve()).as_posix() if inside else path.as_posix()}"
    return Resolved(pinned, Blob(path.name, pinned, path.stat().st_size, None))


@contextmanager
def read(url: str, *, root: Path, start: int = 0, end: int | None = None) -> Iterator[Stream]:
    """Read the file from ``start``."""
    path = root / url.removeprefix("file:")
    try:
        opened = path.open("rb")
    except OSError as error:
        raise UsageError(f"can't read {path}: {error.strerror}", hint="the lock names this file; bring it back") from None
    with opened:
        opened.seek(start)
        yield Stream(start, path.stat().st_size, _chunks(opened.read, None if end is None else end - start))


def _chunks(take: Callable[[int], bytes], left: int | None) -> Iterator[bytes]:
    while left is None or left > 0:
        chunk = take(_CHUNK if left is None else min(_CHUNK, left))
        if not chunk:
            return
        left = None if left is None else left - len(chunk)
        yield chunk
