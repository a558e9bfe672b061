"""Prune: what no lock names any more leaves the store."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.store import views
from pipeline.store.layout import Store

_LEFT_OVER = 3600.0


@dataclass(frozen=True)
class Pruned:
    """How many files went, or would go, and how many bytes of the disk they held."""

    files: int
    bytes: int


def is_there(store: Store) -> bool:
    """Tell whether there is a store at all. Raises OSError when something else is in its place, or it can't be looked into."""
    try:
        os.scandir(store.root).close()
    except FileNotFoundError:
        return False
    return True


def prune(store: Store, keep: set[Digest], *, dry_run: bool = False, began: float | None = None) -> Pruned:
    """Remove what belongs to no digest of ``keep``: blobs with their receipts, downloads that stopped, views; and of any digest what is of
    no more use: bad files that a good one has replaced, downloads whose blob is there.

    Nothing is touched that another process works on now, that came since ``began``, the Unix time before ``keep`` was put together (else
    now), nor files that aren't the store's. Raises OSError.
    """
    files = size = 0
    began = time.time() if began is None else began
    if not is_there(store):
        return Pruned(0, 0)
    for place in views.stale(store, keep):
        if not dry_run:
            _view_away(store, place)
    for name, paths in sorted(_useless(store, keep).items()):
        try:
            with store.lock(name, wait=0.0):
                for path in paths:
                    with suppress(FileNotFoundError):
                        found = path.lstat()
                        if found.st_mtime > began:  # it came meanwhile, for a lock that may be as new
                            continue
                        if not dry_run:
                            path.unlink()
                        files, size = files + 1, size + min(found.st_size, found.st_blocks * 512)
        except UsageError:  # somebody fetches or repairs it
            continue
    return Pruned(files, size)


def _view_away(store: Store, place: Path) -> None:
    with suppress(UsageError, FileNotFoundError), store.lock(f"view-{place.name.strip('.')[:64]}", wait=0.0):
        views.remove(place)


def _useless(store: Store, keep: set[Digest]) -> dict[str, list[Path]]:
    """Return what may go, by the lock that it takes."""
    found: dict[str, list[Path]] = {}
    for path in _files(store.root, "blobs/sha256/*/*", "partial/*", "quarantine/*"):
        folder, name = path.relative_to(store.root).parts[0], path.name
        if name.startswith("."):  # of an atomic write that was killed
            if time.time() - path.lstat().st_mtime > _LEFT_OVER:
                found.setdefault("left-over", []).append(path)
            continue
        digest = _digest_of(name)
        if digest is None:
            if folder == "partial" and name.startswith("url-"):
                found.setdefault(name.partition(".")[0], []).append(path)
        elif digest not in keep or (folder != "blobs" and store.has(digest)):
            found.setdefault(digest.hex, []).append(path)
    return found


def _files(root: Path, *patterns: str) -> Iterator[Path]:
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            if path.is_symlink() or path.is_file():
                yield path


def _digest_of(name: str) -> Digest | None:
    """Return the digest that a file of the store belongs to: all its files begin with it."""
    try:
        return Digest(name.partition(".")[0])
    except ValueError:
        return None
