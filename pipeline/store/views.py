"""Views: folders in which blobs have their real names, for programs that find the parts of a split model by name."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from pipeline.core.canonical import digest_of
from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.lock.model import LockedFile
from pipeline.store.layout import Store


def view(store: Store, files: Sequence[LockedFile]) -> Path:
    """Return a folder that holds the blobs of ``files`` under the last parts of their paths; the same set always has the same folder.

    Entries are hard links, or symbolic ones where the file system knows no others. A folder that is there is checked: each entry must be
    the very blob, or it is made anew. Raises UsageError for names that can't stand in one folder, and for blobs that are missing.
    """
    named = _named(files)
    place = store.root / "views" / digest_of(sorted((name, str(digest)) for name, digest in named.items())).hex
    with store.lock(f"view-{place.name}"):
        for name, digest in named.items():
            if not store.has(digest):
                raise UsageError(f"{name} ({digest}) is not in the store", hint="run assay fetch")
        if _is_right(store, place, named):
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        made = place.parent / f".{place.name}.{secrets.token_hex(4)}"
        made.mkdir()
        try:
            for name, digest in named.items():
                _link(store.path(digest), made / name)
            if place.is_symlink() or place.exists():
                remove(place)
            made.rename(place)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return place


def remove(place: Path) -> None:
    """Remove a view, all at once for whoever looks."""
    aside = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    place.rename(aside)
    if aside.is_symlink() or not aside.is_dir():
        aside.unlink()
    else:
        shutil.rmtree(aside)


def stale(store: Store, keep: set[Digest]) -> list[Path]:
    """Return the views that hold anything else than blobs of ``keep``, and what was left of making one."""
    wanted = {_identity(path) for digest in keep if (path := store.path(digest)).exists()}
    places = (store.root / "views").glob("*")
    return sorted(place for place in places if place.name.startswith(".") or not _all_in(place, wanted))


def _all_in(place: Path, wanted: set[tuple[int, int]]) -> bool:
    try:
        return all(_identity(entry) in wanted for entry in place.iterdir())
    except OSError:
        return False


def _named(files: Sequence[LockedFile]) -> dict[str, Digest]:
    named: dict[str, Digest] = {}
    for file in files:
        name = PurePosixPath(file.path).name
        if not name.isprintable() or name in ("", ".", "..") or "\\" in name or ":" in name:
            raise UsageError(f"{file.path!r} is no name for a file", hint="no file in a view may be called so")
        if name.casefold() in (other.casefold() for other in named):
            raise UsageError(
                f"two files are called {name}", hint="the parts of a set need names that differ in more than case"
            )
        named[name] = file.digest
    return named


def _is_right(store: Store, place: Path, named: dict[str, Digest]) -> bool:
    try:
        return not place.is_symlink() and {entry.name: _identity(entry) for entry in place.iterdir()} == {
            name: _identity(store.path(digest)) for name, digest in named.items()
        }
    except OSError:
        return False


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _link(blob: Path, place: Path) -> None:
    with suppress(OSError):
        os.link(blob, place)
        return
    place.symlink_to(os.path.relpath(blob, place.parent))
