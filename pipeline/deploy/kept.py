"""Locks that were deployed, kept by digest: what runs, and what a rollback goes back to, whatever lockfiles/ says by then."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from pipeline.core.canonical import canonical_bytes, read_json
from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch
from pipeline.core.files import atomic_write
from pipeline.deploy.history import standing
from pipeline.deploy.log import log_path, read
from pipeline.lock.model import Lockfile

# How many deployments of each name a rollback can go back to for certain: the files of older ones may be pruned.
KEPT = 3


def keep(state: Path, lock: Lockfile) -> None:
    """Keep a lock that is being deployed; ``state`` is the project's ``.assay``."""
    path = kept_path(state, lock.digest)
    if not path.exists():
        atomic_write(path, canonical_bytes(lock.content()), 0o444)


def kept(state: Path, digest: str) -> Lockfile:
    """Return the lock that was deployed under a digest. Raises DigestMismatch when it is missing or another."""
    try:
        path = kept_path(state, Digest.parse(digest))
    except ValueError:
        raise DigestMismatch(
            f"{digest[:100]!r} is the digest of no lock", hint="see the log: assay audit NAME"
        ) from None
    try:
        lock = Lockfile.model_validate(read_json(path.read_bytes()))
    except FileNotFoundError:
        raise DigestMismatch(f"the deployed lock {digest} is missing: {path}", hint="deploy again") from None
    except (OSError, ValueError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise DigestMismatch(f"{path} is not the lock that was deployed: {reason}", hint="deploy again") from None
    if str(lock.digest) != digest:
        raise DigestMismatch(f"{path} is not the lock that was deployed\n  want {digest}\n  got  {lock.digest}")
    return lock


def kept_path(state: Path, digest: Digest) -> Path:
    """Return where a deployed lock is kept."""
    return state / "deployments" / "locks" / f"{digest.hex}.json"


def needed(state: Path) -> set[Digest]:
    """Return the digests of the files that deployments need, and those that a rollback would go back to. Raises DigestMismatch for a
    lock of these that can't be read. Of a log that is damaged, every kept lock counts.
    """
    log = read(log_path(state))
    if log.faults:
        locks = {f"sha256:{path.stem}" for path in (state / "deployments" / "locks").glob("*.json")}
    else:
        stacks = (standing(log.of(name)).stack for name in log.names())
        locks = {line.event.lock for stack in stacks for line in stack[-KEPT:]}
    return {file.digest for lock in sorted(locks) for file in kept(state, lock).files}
