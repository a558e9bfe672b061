"""From a lock to verified files: fetch, verify, repair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import LockOutOfDate
from pipeline.flow.session import Session
from pipeline.gguf.header import Header, read_header
from pipeline.lock.diff import Change, diff
from pipeline.lock.load import check_lock, read_lock
from pipeline.lock.model import LockedFile, Lockfile
from pipeline.spec.load import find_spec, read_spec
from pipeline.store.repair import repair
from pipeline.store.sharing import register
from pipeline.store.together import fetch_all as fetch_together
from pipeline.store.verify import Verified, require, verify


def check(session: Session, name: str) -> list[Change]:
    """Return what moved since the lock of a spec was made. Opens no socket. Raises LockOutOfDate when there is
    no lock.
    """
    spec = read_spec(find_spec(session.project, name))
    return check_lock(session.project, spec, read_lock(session.project, spec.name))


def fetch_all(session: Session, locks: Iterable[Lockfile], *, limit_rate: int | None = None) -> list[Path]:
    """Bring every file of the locks into the store; ``limit_rate`` is in bytes a second."""
    return fetch_files(session, [file for lock in locks for file in lock.files], limit_rate=limit_rate)


def fetch_files(session: Session, files: Sequence[LockedFile], *, limit_rate: int | None = None) -> list[Path]:
    """Bring some files of locks into the store, as ``fetch_all``."""
    register(session.project, session.store)
    return fetch_together(
        session.store,
        files,
        session.project.root,
        offline=session.offline,
        progress=session.progress,
        limit_rate=limit_rate,
    )


@dataclass(frozen=True)
class Mended:
    """A file that was made good again, and how many bytes had to be fetched for it."""

    file: LockedFile
    fetched: int


def repair_all(session: Session, results: Iterable[Verified]) -> list[Mended]:
    """Make every bad file good again, from its origin. Raises NetworkError, DigestMismatch, UsageError."""
    root, store = session.project.root, session.store
    return [
        Mended(bad.file, repair(store, bad.file, root, offline=session.offline, progress=session.progress).fetched)
        for bad in results
        if not bad.ok
    ]


def verify_all(session: Session, locks: Iterable[Lockfile], *, deep: bool, must: bool = True) -> list[Verified]:
    """Judge every file of the locks; with ``deep`` also what the locks say of their content. Raises DigestMismatch for bad
    files unless ``must`` is off, LockOutOfDate for a lock that tells other facts than its weights.
    """
    locks = list(locks)
    results = verify(
        session.store, [file for lock in locks for file in lock.files], deep=deep, progress=session.progress
    )
    if must:
        require(results)
    if deep:
        good = {result.file.digest for result in results if result.ok}
        for lock in locks:
            if {file.digest for file in lock.shards} <= good:
                require_facts(lock, [read_header(session.store.path(file.digest)) for file in lock.shards])
    return results


def require_facts(lock: Lockfile, headers: Sequence[Header]) -> None:
    """Compare the facts in a lock with the headers of its weights. Where the spec states the digest, they were read when nobody
    had hashed the bytes yet. Facts that the lock doesn't know, from a newer Assay, don't count. Raises LockOutOfDate.
    """
    from pipeline.gguf.facts import facts_of

    facts = facts_of(*headers).summary()
    changes = diff(lock.gguf, {key: value for key, value in facts.items() if key in lock.gguf}, "gguf")
    if changes:
        listed = "\n".join(f"  {change}" for change in changes)
        said = f"the lock of {lock.name} says other things of {lock.weights.path} than the file itself:\n{listed}"
        raise LockOutOfDate(said, hint=f"restore the lock, or run assay lock {lock.name}")
