from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.core.canonical import digest_of
from pipeline.core.errors import DigestMismatch
from pipeline.deploy.kept import KEPT, keep, kept, kept_path, needed
from pipeline.deploy.log import Event, append, log_path
from pipeline.lock.model import Lockfile
from tests.deploy import orders


def variant(number: int) -> Lockfile:
    """A lock with weights of its own."""
    made = orders.lock()
    return made.model_copy(update={"files": (made.weights.model_copy(update={"sha256": str(digest_of(number))}),)})


def deployed(state: Path, lock: Lockfile) -> None:
    keep(state, lock)
    append(log_path(state), Event("tiny-chat", "deploy", "local", str(lock.digest)), datetime.now(UTC))


def test_a_lock_comes_back_under_its_digest(tmp_path: Path) -> None:
    lock = orders.lock()
    keep(tmp_path, lock)
    assert kept(tmp_path, str(lock.digest)) == lock
    assert kept_path(tmp_path, lock.digest).stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize("content", ["", "{}", "[]", "\xff", None])
def test_what_is_missing_or_another_is_an_error(tmp_path: Path, content: str | None) -> None:
    lock = orders.lock()
    if content is not None:
        path = kept_path(tmp_path, lock.digest)
        path.parent.mkdir(parents=True)
        path.write_text(content)
    with pytest.raises(DigestMismatch, match="missing" if content is None else "is not the lock that was deployed"):
        kept(tmp_path, str(lock.digest))
    with pytest.raises(DigestMismatch, match="is the digest of no lock"):
        kept(tmp_path, "../../etc/passwd")


def test_a_lock_under_the_digest_of_another_is_an_error(tmp_path: Path) -> None:
    keep(tmp_path, variant(1))
    path = kept_path(tmp_path, variant(2).digest)
    path.write_bytes(kept_path(tmp_path, variant(1).digest).read_bytes())
    with pytest.raises(DigestMismatch, match=f"want {variant(2).digest}"):
        kept(tmp_path, str(variant(2).digest))


def test_files_of_the_last_deployments_are_needed(tmp_path: Path) -> None:
    assert needed(tmp_path) == set()
    for number in range(KEPT + 2):
        deployed(tmp_path, variant(number))
    assert needed(tmp_path) == {variant(number).weights.digest for number in range(2, KEPT + 2)}
    append(log_path(tmp_path), Event("tiny-chat", "stop", "local", "x"), datetime.now(UTC))
    assert variant(KEPT + 1).weights.digest in needed(tmp_path)


def test_of_a_damaged_log_every_kept_lock_counts(tmp_path: Path) -> None:
    for number in range(KEPT + 2):
        deployed(tmp_path, variant(number))
    log_path(tmp_path).write_bytes(b"")
    assert needed(tmp_path) == {variant(number).weights.digest for number in range(KEPT + 2)}
