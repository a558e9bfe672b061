"""Verify: are the bytes in the store still those that the lock names?"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISLNK

from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch
from pipeline.core.progress import SILENT, Progress
from pipeline.lock.model import LockedFile
from pipeline.store.hashing import Hasher
from pipeline.store.layout import Store


@dataclass(frozen=True)
class Verified:
    """One file judged. ``got`` is its real digest when it was hashed, ``problem`` says what is wrong, ``kept`` where it was moved."""

    file: LockedFile
    path: Path
    hashed: bool
    got: Digest | None = None
    problem: str = ""
    kept: Path | None = None

    @property
    def ok(self) -> bool:
        return not self.problem


def verify(
    store: Store, files: Sequence[LockedFile], *, deep: bool, quarantine: bool = True, progress: Progress = SILENT
) -> list[Verified]:
    """Judge every file: by its receipt, or with ``deep`` by hashing it again, files in parallel, the largest first.

    A file that has no receipt, or no longer looks as its receipt says, is hashed in any case. One file is hashed by one core: its
    leaves could be hashed by many, but the receipt that names them lies beside the blob, and whoever forges one can forge the other.
    Bad files are moved to the quarantine, where the store can be written. Opens no socket.
    """
    unique = list({file.digest: file for file in files}.values())
    over = threading.Event()
    with (
        progress.task("verify", sum(file.size for file in unique), "B") as task,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):

        def advance(amount: int) -> None:
            if over.is_set():
                raise _Interrupted
            task.advance(amount)

        try:
            largest = sorted(unique, key=lambda file: -file.size)
            judged = dict(
                zip(
                    (file.digest for file in largest),
                    pool.map(lambda file: _judge(store, file, deep, quarantine, advance), largest),
                    strict=True,
                )
            )
        except BaseException:
            over.set()  # the pool waits for its threads: they end at their next chunk
            pool.shutdown(cancel_futures=True)
            raise
        return [judged[file.digest] for file in unique]


class _Interrupted(Exception):
    """Nobody waits for the result any more."""


def require(results: Sequence[Verified]) -> None:
    """Raise DigestMismatch that names every bad file: want, got, size, path, and what to do."""
    bad = [result for result in results if not result.ok]
    if not bad:
        return
    kept = "the bad file is kept for inspection; " if any(result.kept for result in bad) else ""
    raise DigestMismatch("\n".join(map(_describe, bad)), hint=f"{kept}run assay verify --deep --repair, or assay fetch")


def _judge(store: Store, file: LockedFile, deep: bool, quarantine: bool, advance: Callable[[int], None]) -> Verified:
    path = store.path(file.digest)
    try:
        stat = path.lstat()
        if S_ISLNK(stat.st_mode):
            kept = _put_away(store, path, file.digest, stat) if quarantine else None
            return Verified(file, path, False, problem="a link to somewhere else", kept=kept)
        receipt = store.receipt(file.digest)
        known = receipt is not None and receipt.fits(stat)
        if known and not deep:
            advance(stat.st_size)
            return Verified(file, path, False)
        # The leaves of a receipt that still fits are those of the same bytes: hashing once is enough.
        hasher = None if known else Hasher().read(path, advance)
        got = hasher.digest if hasher else Digest.of_file(path, advance)
    except FileNotFoundError:
        return Verified(file, path, False, problem="missing: not in the store")
    except OSError as error:
        return Verified(file, path, True, problem=f"unreadable: {error.strerror}")
    if got == file.digest:
        if hasher:
            with suppress(OSError):  # a store may be read-only; then it is hashed again the next time
                store.remember(file.digest, hasher.leaves, stat)
        return Verified(file, path, True, got)
    same = stat.st_size == file.size
    what = "other bytes than the lock names" if same else f"{stat.st_size} bytes instead of {file.size}"
    kept = _put_away(store, path, file.digest, stat) if quarantine else None
    return Verified(file, path, True, got, what, kept)


def _put_away(store: Store, path: Path, digest: Digest, judged: os.stat_result) -> Path | None:
    """Move a bad blob to the quarantine unless another process was faster; None where it could not be moved."""
    try:
        with store.lock(digest.hex):
            now = path.lstat()
            if (now.st_ino, now.st_mtime_ns, now.st_size) != (judged.st_ino, judged.st_mtime_ns, judged.st_size):
                return None
            return store.quarantine(path, digest)
    except OSError:
        return None


def _describe(result: Verified) -> str:
    lines = [f"{result.file.path}: {result.problem}", f"  want {result.file.digest}"]
    if result.got:
        lines.append(f"  got  {result.got}")
    lines += [f"  size {result.file.size}", f"  path {result.path}"]
    if result.kept:
        lines.append(f"  moved to {result.kept}")
    return "\n".join(lines)
