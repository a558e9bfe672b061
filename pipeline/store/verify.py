"""Verify: are the bytes in the store still those that the lock names?"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

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
    """Judge every file: by its receipt, or with ``deep`` by hashing it again, files in parallel.

    A file that has no receipt, or no longer looks as its receipt says, is hashed in any case. Bad files are moved to the quarantine.
    Opens no socket.
    """
    unique = list({file.digest: file for file in files}.values())
    with progress.task("verify", sum(file.size for file in unique), "B") as task, ThreadPoolExecutor() as pool:
        return list(pool.map(lambda file: _judge(store, file, deep, quarantine, task.advance), unique))


def require(results: Sequence[Verified]) -> None:
    """Raise DigestMismatch that names every bad file: want, got, size, path, and what to do."""
    bad = [result for result in results if not result.ok]
    if bad:
        raise DigestMismatch(
            "\n".join(_describe(result) for result in bad), hint="the bad file is kept for inspection; run assay fetch for a good one"
        )


def _judge(store: Store, file: LockedFile, deep: bool, quarantine: bool, advance: object) -> Verified:
    assert callable(advance)
    path = store.path(file.digest)
    try:
        stat = path.stat()
    except FileNotFoundError:
        return Verified(file, path, False, problem="missing: not in the store")
    receipt = store.receipt(file.digest)
    if not deep and receipt is not None and receipt.fits(stat):
        advance(stat.st_size)
        return Verified(file, path, False)
    try:
        hasher = Hasher().read(path, advance)
    except OSError as error:
        return Verified(file, path, True, problem=f"unreadable: {error.strerror}")
    if hasher.digest == file.digest:
        if receipt is None or not receipt.fits(stat) or receipt.leaves != hasher.leaves:
            store.remember(file.digest, hasher.leaves)
        return Verified(file, path, True, hasher.digest)
    what = "other bytes than the lock names" if hasher.size == file.size else f"{hasher.size} bytes instead of {file.size}"
    kept = store.quarantine(path, file.digest) if quarantine else None
    return Verified(file, path, True, hasher.digest, what, kept)


def _describe(result: Verified) -> str:
    lines = [f"{result.file.path}: {result.problem}", f"  want {result.file.digest}"]
    if result.got:
        lines.append(f"  got  {result.got}")
    lines += [f"  size {result.file.size}", f"  path {result.path}"]
    if result.kept:
        lines.append(f"  moved to {result.kept}")
    return "\n".join(lines)
