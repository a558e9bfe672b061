"""Fetch: bytes from a source into the store, hashed as they come, resumed where they stopped, visible only when verified."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from pipeline.core.canonical import digest_of
from pipeline.core.digest import Digest
from pipeline.core.errors import AssayError, DigestMismatch, NetworkError, UsageError
from pipeline.core.progress import SILENT, Progress
from pipeline.lock.model import LockedFile
from pipeline.spec.sources._base import Stream, source_of
from pipeline.store.hashing import Hasher
from pipeline.store.layout import Store

_SPARE = 64 << 20
_AGAIN = "run the command again: it resumes"


def fetch(store: Store, file: LockedFile, root: Path, *, offline: bool = False, progress: Progress = SILENT) -> Path:
    """Bring one locked file into the store, trying its URLs in turn; returns its path.

    Raises DigestMismatch when an origin sends other bytes, NetworkError when none can be reached, UsageError when the disk
    is full.
    """
    final = store.path(file.digest)
    if store.has(file.digest):
        return final
    with store.lock(file.digest.hex, lambda: progress.note(f"{file.path}: another process fetches it; waiting")):
        if store.has(file.digest):  # the other process has finished
            return final
        urls = [url for url in file.urls if not offline or not url.startswith(("http:", "https:"))]
        if not urls:
            hint = "run assay fetch without --offline"
            raise NetworkError(f"{file.path} ({file.digest}) is not in the store", hint=hint)
        for url in urls:
            try:
                return _from(store, file, url, root, progress)
            except DigestMismatch:
                raise
            except AssayError as error:
                failure = error
                if url != urls[-1]:
                    progress.note(f"{error.message}; trying {urls[urls.index(url) + 1]}")
        raise failure


def learn(store: Store, url: str, size: int, root: Path, *, progress: Progress = SILENT) -> Digest:
    """Download what nobody has named a digest for, into the store, and return the digest its bytes have.

    It is never resumed: without a digest nobody could tell whether two parts are of one file. Raises NetworkError when
    other than ``size`` bytes come, UsageError when the disk is full.
    """
    place = store.root / "partial" / f"url-{digest_of(url).hex}"
    with store.lock(place.name, lambda: progress.note(f"{url}: another process fetches it; waiting")):
        place.unlink(missing_ok=True)
        hasher = _download(store, place, url, root, progress, size, "a moment ago")
        if hasher.size != size:
            place.unlink(missing_ok=True)
            said = f"{url}: {hasher.size} bytes came, {size} were announced"
            raise NetworkError(said, hint="run the command again")
        with store.lock(hasher.digest.hex):
            if store.has(hasher.digest):
                place.unlink()
            else:
                store.publish(place, hasher.digest, hasher.leaves)
        return hasher.digest


def _from(store: Store, file: LockedFile, url: str, root: Path, progress: Progress) -> Path:
    partial, what = store.partial(file.digest), f"{file.path} ({file.digest})"
    resumed = partial.exists()
    hasher = _download(store, partial, url, root, progress, file.size, what)
    if resumed and hasher.size >= file.size and hasher.digest != file.digest:
        partial.unlink()  # the bytes kept from before may be the bad ones: once more, from the start
        hasher = _download(store, partial, url, root, progress, file.size, what)
    if hasher.digest == file.digest:
        return store.publish(partial, file.digest, hasher.leaves)
    if hasher.size < file.size:
        raise NetworkError(f"{url}: the transfer ended after {hasher.size} of {file.size} bytes", hint=_AGAIN)
    got = f"{hasher.digest} ({hasher.size} bytes)" if hasher.size == file.size else f"more than {file.size} bytes"
    kept = store.quarantine(partial, file.digest)
    raise DigestMismatch(
        f"{file.path} from {url} is not what the lock names\n  want {file.digest} ({file.size} bytes)\n  got  {got}\n"
        f"  path {kept}",
        hint="the origin changed or the transfer was tampered with; if the new file is meant, run assay lock",
    )


def _download(store: Store, place: Path, url: str, root: Path, progress: Progress, size: int, what: str) -> Hasher:
    """Append to ``place`` what is missing of ``url``, at most a chunk more than ``size`` bytes; returns the hasher of all of
    it. ``what`` is what the bytes should be, for people.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    have = place.stat().st_size if place.exists() else 0
    _check_space(store, size - have)
    hasher = Hasher()
    with progress.task(f"fetch {Path(url).name}", size, "B") as task:
        if have:  # before the connection is opened, which would not wait so long
            hasher.read(place, task.advance)
        if have >= size > 0:
            return hasher
        with source_of(url).open(url, root=root).read(have) as stream:
            if stream.size is not None and stream.size != size:
                said = f"{url} has {stream.size} bytes, not the {size} of {what}"
                raise DigestMismatch(said, hint="it is another file now; if the new one is meant, run assay lock")
            if stream.start < have:
                task.advance(-have)
                hasher = Hasher()
            _append(place, stream, hasher, size, task.advance)
    return hasher


def _append(place: Path, stream: Stream, hasher: Hasher, size: int, advance: Callable[[int], None]) -> None:
    try:
        with place.open("ab" if stream.start else "wb") as out:
            for chunk in stream.chunks:
                out.write(chunk)
                hasher.update(chunk)
                advance(len(chunk))
                if hasher.size > size:
                    return
    except OSError as error:  # only of writing: sources have errors of their own
        raise UsageError(f"can't write {place}: {error.strerror}", hint=f"free some space, then {_AGAIN}") from None


def _check_space(store: Store, size: int) -> None:
    store.root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store.root).free
    if free < size + _SPARE:
        said = f"{store.root} has {free >> 20} MiB free, {(size + _SPARE) >> 20} MiB are needed"
        raise UsageError(said, hint="free some space, or name another store: ASSAY_STORE=FOLDER")
