"""From a spec to verified files: lock, fetch, verify."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.digest import Digest
from pipeline.core.errors import LockOutOfDate
from pipeline.flow.session import Session
from pipeline.lock.compile import compile_lock
from pipeline.lock.diff import Change, diff
from pipeline.lock.load import check_lock, read_lock, write_lock
from pipeline.lock.model import Lockfile
from pipeline.lock.resolve import resolve
from pipeline.spec.load import find_spec, read_spec
from pipeline.store.fetch import fetch, learn
from pipeline.store.verify import Verified, require, verify


@dataclass(frozen=True)
class Locked:
    """A lock that was made or checked: what changed against the one before, and whether the file was written."""

    lock: Lockfile
    changes: tuple[Change, ...]
    written: bool


def make_lock(session: Session, name: str, *, dry_run: bool = False) -> Locked:
    """Resolve a spec and write its lock. Nothing is written when nothing changed, or with ``dry_run``.

    Raises SpecError for faults in the spec or its suites, UsageError for what it names and isn't there.
    """
    path = find_spec(session.project, name)
    spec = read_spec(path)

    def learn_digest(url: str, size: int) -> Digest:
        return learn(session.store, url, size, session.project.root, progress=session.progress)

    lock = compile_lock(spec, resolve(spec, path, session.project, learn_digest, session.progress))
    _check_suites(session, lock)
    try:
        before: object = read_lock(session.project, spec.name).content()
    except LockOutOfDate:
        before = None
    changes = tuple(diff(before, lock.content())) if before is not None else ()
    return Locked(lock, changes, not dry_run and write_lock(session.project, lock))


def _check_suites(session: Session, lock: Lockfile) -> None:
    from pipeline.checks.engine import load_suite as load_checks
    from pipeline.evals.engine import load_suite as load_eval

    for name in lock.spec.checks:
        load_checks(session.project.suites / name)
    for name in lock.spec.evals:
        load_eval(session.project.suites / name)


def check(session: Session, name: str) -> list[Change]:
    """Return what moved since the lock of a spec was made. Opens no socket. Raises LockOutOfDate when there is
    no lock.
    """
    spec = read_spec(find_spec(session.project, name))
    return check_lock(session.project, spec, read_lock(session.project, spec.name))


def fetch_all(session: Session, locks: Iterable[Lockfile]) -> list[Path]:
    """Bring every file of the locks into the store."""
    root, offline = session.project.root, session.offline
    return [
        fetch(session.store, file, root, offline=offline, progress=session.progress)
        for lock in locks
        for file in lock.files
    ]


def verify_all(session: Session, locks: Iterable[Lockfile], *, deep: bool, must: bool = True) -> list[Verified]:
    """Judge every file of the locks. Raises DigestMismatch for bad ones unless ``must`` is off."""
    files = [file for lock in locks for file in lock.files]
    results = verify(session.store, files, deep=deep, progress=session.progress)
    if must:
        require(results)
    return results
