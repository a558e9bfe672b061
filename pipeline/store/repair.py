"""Repair: of a blob that went bad, fetch only the parts that did."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.digest import CHUNK
from pipeline.core.progress import SILENT, Progress
from pipeline.lock.model import LockedFile
from pipeline.store.fetch import fetch
from pipeline.store.hashing import Hasher
from pipeline.store.layout import LEAF, Store
from pipeline.store.line import Line
from pipeline.store.partial import Partial
from pipeline.store.take import clone, copy_range
from pipeline.store.transfer import SMALL


@dataclass(frozen=True)
class Repaired:
    """The good blob, and how many bytes had to be fetched for it: none when it was good."""

    path: Path
    fetched: int


def repair(
    store: Store,
    file: LockedFile,
    root: Path,
    *,
    offline: bool = False,
    progress: Progress = SILENT,
    limit_rate: int | None = None,
) -> Repaired:
    """Make the blob of a locked file good again: what it was the newest bad version of is put together from that one's good leaves and
    what the file's URLs give for the others.

    The leaves only save work, so nothing depends on who wrote them: the whole is hashed before it gets its name. The bad version
    goes once it is of no more use. A file without leaves is fetched whole. Raises as ``fetch`` does.
    """
    with store.lock(file.digest.hex):
        if store.has(file.digest):
            if _is_good(store, file, progress):
                return Repaired(store.path(file.digest), 0)
            store.quarantine(store.path(file.digest), file.digest)
        bad = [(path, receipt.leaves) for path, receipt in store.quarantined(file.digest) if receipt]
        if bad and file.size > SMALL:
            _seed(store, file, *bad[0], progress)
    line = Line(limit_rate)
    path = fetch(store, file, root, offline=offline, progress=progress, line=line)
    with store.lock(file.digest.hex):
        for kept, _ in bad[:1]:
            kept.unlink(missing_ok=True)
            kept.with_name(f"{kept.name}.json").unlink(missing_ok=True)
    return Repaired(path, line.came)


def _is_good(store: Store, file: LockedFile, progress: Progress) -> bool:
    path = store.path(file.digest)
    found = path.stat()
    with progress.task(f"verify {Path(file.path).name}", found.st_size, "B") as task:
        hasher = Hasher().read(path, task.advance)
    if hasher.digest != file.digest:
        return False
    store.remember(file.digest, hasher.leaves, found)
    return True


def _seed(store: Store, file: LockedFile, source: Path, leaves: tuple[str, ...], progress: Progress) -> None:
    """Begin a download that has the good leaves already. Raises Full; what can't be read of the source counts as bad."""
    partial = Partial(store.partial(file.digest), file.digest, file.size, journaled=True)
    try:
        if partial.kept:  # an interrupted download or repair is as good as this one
            return
        try:
            reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return
        writing = partial.descriptor()
        try:
            good = _good_leaves(reading, leaves, file, progress)
            same_size = os.fstat(reading).st_size == file.size
            shared = bool(good) and same_size and clone(reading, writing)
            for start, end in good:
                if not shared:
                    copy_range(reading, writing, start, end)
                partial.record(start, end)
        finally:
            os.close(reading)
            os.close(writing)
    finally:
        partial.close()


def _good_leaves(reading: int, leaves: tuple[str, ...], file: LockedFile, progress: Progress) -> list[tuple[int, int]]:
    """Return the ranges whose bytes are those that the leaves name; all cores look."""
    ranges = [(start, min(start + LEAF, file.size)) for start in range(0, file.size, LEAF)]
    over = threading.Event()
    with (
        progress.task(f"compare {Path(file.path).name}", file.size, "B") as task,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        try:
            found = pool.map(lambda span: _leaf(reading, span, task.advance, over), ranges)
            # A list of leaves that is too short says nothing of the rest.
            return [span for span, leaf, wanted in zip(ranges, found, leaves, strict=False) if leaf == wanted]
        except BaseException:
            over.set()
            pool.shutdown(cancel_futures=True)
            raise


def _leaf(reading: int, span: tuple[int, int], advance: Callable[[int], None], over: threading.Event) -> str:
    (at, end), hasher = span, hashlib.sha256()
    while at < end and not over.is_set():
        try:
            data = os.pread(reading, min(CHUNK, end - at), at)
        except OSError:  # a bad sector
            return ""
        if not data:
            break
        hasher.update(data)
        at += len(data)
        advance(len(data))
    return hasher.hexdigest() if at == end else ""
