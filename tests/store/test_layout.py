from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.store import layout
from pipeline.store.hashing import Hasher
from pipeline.store.layout import Receipt, Store

CONTENT = b"some weights"
DIGEST = Digest.of(CONTENT)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def publish(store: Store) -> Path:
    partial = store.partial(DIGEST)
    partial.parent.mkdir(parents=True)
    partial.write_bytes(CONTENT)
    return store.publish(partial, DIGEST, Hasher().read(partial).leaves)


def test_a_published_blob_is_read_only_under_its_digest_with_a_receipt(store: Store) -> None:
    path = publish(store)
    assert path == store.root / "blobs" / "sha256" / DIGEST.hex[:2] / DIGEST.hex == store.path(DIGEST)
    stat = path.stat()
    assert path.read_bytes() == CONTENT and stat.st_mode & 0o777 == 0o444
    assert store.has(DIGEST) and not store.partial(DIGEST).exists()
    receipt = store.receipt(DIGEST)
    assert receipt is not None and receipt.fits(stat)
    assert (receipt.size, receipt.mtime_ns, receipt.inode) == (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    assert receipt.leaves == (DIGEST.hex,)


def test_the_order_of_publishing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read-only and on the disk before the final name, the final name on the disk before the receipt says so."""
    steps: list[str] = []

    def seen(module: object, name: str) -> None:
        real = getattr(module, name)

        def step(*arguments: object) -> object:
            steps.append(f"{name}{' (named)' if store.path(DIGEST).exists() else ''}")
            return real(*arguments)

        monkeypatch.setattr(module, name, step)

    for name in ("fchmod", "fsync", "replace"):
        seen(os, name)
    seen(layout, "fsync_folder")
    seen(layout, "atomic_write")
    publish(store)
    assert steps[:5] == ["fchmod", "fsync", "replace", "fsync_folder (named)", "fsync (named)"]
    assert steps.index("atomic_write (named)") == 5


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b"[]", b"{}", b'{"leaves": 5}', b'{"size": 1, "leaves": []}', b"\xff"]
)
def test_a_receipt_that_can_not_be_read_is_none(store: Store, content: bytes) -> None:
    publish(store)
    store.receipt_path(DIGEST).write_bytes(content)
    assert store.receipt(DIGEST) is None


@pytest.mark.parametrize("what", ["size", "mtime_ns", "inode"])
def test_a_receipt_fits_the_very_file_alone(store: Store, what: str) -> None:
    stat = publish(store).stat()
    content = json.loads(store.receipt_path(DIGEST).read_bytes())
    assert Receipt(**content).fits(stat) and not Receipt(**{**content, what: content[what] + 1}).fits(stat)


def test_quarantine_keeps_every_bad_file_and_forgets_the_receipt(store: Store) -> None:
    kept = set()
    for _ in range(3):
        path = store.path(DIGEST)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"bad")
        store.remember(DIGEST, (), path.stat())
        kept.add(store.quarantine(path, DIGEST))
        assert not path.exists() and store.receipt(DIGEST) is None
        assert store.quarantined(DIGEST)[0][1] is not None, "the receipt went with it"
    assert len(kept) == 3 and all(path.read_bytes() == b"bad" and path.name.startswith(DIGEST.hex) for path in kept)
    assert {path for path, _ in store.quarantined(DIGEST)} == kept and store.quarantined(Digest.of(b"?")) == []


def test_a_bad_partial_leaves_the_good_blobs_receipt(store: Store) -> None:
    publish(store)
    store.partial(DIGEST).write_bytes(b"bad")
    store.quarantine(store.partial(DIGEST), DIGEST)
    assert store.receipt(DIGEST) is not None
