"""Fetch: bytes from a source into the store, hashed as they come, resumed where they stopped, visible only when verified."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

from pipeline.core.canonical import digest_of
from pipeline.core.digest import Digest
from pipeline.core.errors import AssayError, DigestMismatch, NetworkError, UsageError
from pipeline.core.files import locked
from pipeline.core.progress import SILENT, Progress
from pipeline.lock.model import LockedFile
from pipeline.spec.sources._base import source_of
from pipeline.store.hashing import Hasher
from pipeline.store.layout import Store

_SPARE = 64 << 20


def fetch(store: Store, file: LockedFile, root: Path, *, offline: bool = False, progress: Progress = SILENT) -> Path:
    """Bring one locked file into the store, trying its URLs in turn; returns its path.

    Raises DigestMismatch when an origin sends other bytes, NetworkError when none can be reached, UsageError when the disk is full.
    """
    final = store.path(file.digest)
    if store.has(file.digest):
        return final
    with locked(store.root / "locks" / file.digest.hex):
        if store.has(file.digest):  # another process was faster
            return final
        urls = [url for url in file.urls if not offline or not url.startswith(("http:", "https:"))]
        if not urls:
            raise NetworkError(f"{file.path} ({file.digest}) is not in the store", hint="run assay fetch without --offline")
        _check_space(store, file.size)
        for url in urls:
            try:
                return _from(store, file, url, root, progress)
            except DigestMismatch:
                raise
            except AssayError as error:
                failure = error
                progress.note(f"{error.message}")
        raise failure


def learn(store: Store, url: str, size: int, root: Path, *, progress: Progress = SILENT) -> Digest:
    """Download what nobody has named a digest for, into the store, and return the digest its bytes have."""
    place = store.root / "partial" / f"url-{digest_of(url).hex}"
    with locked(store.root / "locks" / place.name):
        _check_space(store, size)
        place.unlink(missing_ok=True)
        hasher = _download(place, url, root, progress, Path(url).name, size)
        if hasher.size != size:
            raise NetworkError(f"{url}: {hasher.size} bytes came, {size} were announced", hint="run the command again")
        if store.has(hasher.digest):
            place.unlink()
        else:
            store.publish(place, hasher.digest, hasher.leaves)
        return hasher.digest


def _from(store: Store, file: LockedFile, url: str, root: Path, progress: Progress) -> Path:
    partial = store.partial(file.digest)
    for _ in range(2):
        resumed = partial.exists()
        hasher = _download(partial, url, root, progress, file.path, file.size)
        if hasher.digest == file.digest:
            return store.publish(partial, file.digest, hasher.leaves)
        if not resumed:
            break
        partial.unlink()  # the bytes kept from before may be the bad ones: once more, from the start
    if hasher.size < file.size:
        raise NetworkError(
            f"{url}: the transfer ended after {hasher.size} of {file.size} bytes", hint="run the command again: it resumes"
        )
    kept = store.quarantine(partial, file.digest)
    raise DigestMismatch(
        f"{file.path} from {url} is not what the lock names\n  want {file.digest} ({file.size} bytes)\n"
        f"  got  {hasher.digest} ({hasher.size} bytes)\n  kept as {kept}",
        hint="the origin changed or the transfer was tampered with: see assay lock --upgrade, or fetch from elsewhere",
    )


def _download(place: Path, url: str, root: Path, progress: Progress, label: str, size: int) -> Hasher:
    """Append to ``place`` what is missing of ``url``, at most ``size`` bytes and one more; returns the hasher of all of it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    have = place.stat().st_size if place.exists() else 0
    if have > size:
        place.unlink()
        have = 0
    with ExitStack() as stack:
        task = stack.enter_context(progress.task(f"fetch {label}", size, "B"))
        hasher = Hasher()
        if have == size and size:
            return hasher.read(place, task.advance)
        stream = stack.enter_context(source_of(url).read(url, root=root, start=have))
        if stream.start:
            hasher.read(place, task.advance)
        try:
            with place.open("ab" if stream.start else "wb") as out:
                for chunk in stream.chunks:
                    hasher.update(chunk)
                    out.write(chunk)
                    task.advance(len(chunk))
                    if hasher.size > size:
                        break
        except OSError as error:
            raise UsageError(f"can't write {place}: {error.strerror}", hint="free some space, then run again: it resumes") from None
    return hasher


def _check_space(store: Store, size: int) -> None:
    store.root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store.root).free
    if free < size + _SPARE:
        raise UsageError(f"{store.root} has {free >> 20} MiB free, {size >> 20} MiB are needed", hint="free some space")
