from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.store.layout import Store
from pipeline.store.partial import Partial, journal_of
from pipeline.store.prune import Pruned, prune
from pipeline.store.views import view
from tests.store.blobs import locked, publish

KEPT, OTHER, LATE = (name * 10_000 for name in (b"kept", b"other", b"late"))


def everything(store: Store) -> set[str]:
    return {
        str(path.relative_to(store.root))
        for path in store.root.rglob("*")
        if path.is_file() and path.relative_to(store.root).parts[0] != "locks"
    }


def old(store: Store) -> None:
    """Let all files be of yesterday."""
    for path in store.root.rglob("*"):
        os.utime(path, (time.time() - 86400,) * 2, follow_symlinks=False)


@pytest.fixture
def full(store: Store) -> Store:
    """Two blobs, of which each has a view; downloads, bad files and left-overs."""
    for content in (KEPT, OTHER):
        publish(store, content)
        view(store, [locked(content)])
    digests = {"kept": Digest.of(KEPT), "other": Digest.of(OTHER), "late": Digest.of(LATE)}
    for digest in digests.values():
        partial = Partial(store.partial(digest), digest, 5000, journaled=True)
        partial.record(0, 10)
        partial.close()
    (store.root / "quarantine").mkdir()
    for digest in digests.values():
        (store.root / "quarantine" / f"{digest.hex}.20260101T000000.00000000").write_bytes(b"bad")
        (store.root / "quarantine" / f"{digest.hex}.20260101T000000.00000000.json").write_text("{}")
    (store.root / "partial" / f"url-{'0' * 64}").write_bytes(b"learnt in vain")
    (store.root / "partial" / f".{digests['late'].hex}.journal.abc").write_bytes(b"killed")
    (store.root / "partial" / "notes.txt").write_bytes(b"somebody's")
    old(store)
    return store


def test_what_no_lock_names_goes_and_all_else_stays(full: Store) -> None:
    kept, late = Digest.of(KEPT), Digest.of(LATE)
    before = everything(full)
    sizes = sum(
        min(path.stat().st_size, path.stat().st_blocks * 512)
        for path in full.root.rglob("*")
        if path.is_file()
        and not path.is_relative_to(full.root / "views")
        and not path.is_relative_to(full.root / "locks")
        and path not in (full.path(kept), full.receipt_path(kept), full.partial(late), journal_of(full.partial(late)))
        and not (path.parent.name == "quarantine" and path.name.startswith(late.hex))
        and path.name != "notes.txt"
    )
    planned = prune(full, {kept, late}, dry_run=True)
    assert everything(full) == before
    found = prune(full, {kept, late})
    assert found == planned == Pruned(2 + 2 * 2 + 2 * 2 + 2, sizes)
    assert everything(full) == {
        f"blobs/sha256/{kept.hex[:2]}/{kept.hex}",
        f"blobs/sha256/{kept.hex[:2]}/{kept.hex}.json",
        f"partial/{late.hex}",
        f"partial/{late.hex}.journal",
        f"quarantine/{late.hex}.20260101T000000.00000000",
        f"quarantine/{late.hex}.20260101T000000.00000000.json",
        "partial/notes.txt",
        f"views/{view(full, [locked(KEPT)]).name}/m.gguf",
    }
    assert full.path(kept).read_bytes() == KEPT
    assert prune(full, {kept, late}) == Pruned(0, 0)


def test_what_another_works_on_stays(full: Store) -> None:
    digest = Digest.of(OTHER)
    with full.lock(digest.hex):
        found: list[Pruned] = []
        thread = threading.Thread(target=lambda: found.append(prune(full, {Digest.of(KEPT)})))
        thread.start()
        thread.join()
    assert found[0].files and full.path(digest).read_bytes() == OTHER and full.partial(digest).exists()
    prune(full, {Digest.of(KEPT)})
    assert not full.has(digest) and not full.partial(digest).exists()


def test_what_comes_meanwhile_stays(full: Store) -> None:
    publish(full, LATE)
    soon = time.time() + 60
    os.utime(full.path(Digest.of(LATE)), (soon, soon))
    prune(full, set())
    assert full.has(Digest.of(LATE)) and not full.has(Digest.of(KEPT))


def test_fresh_left_overs_may_be_in_use(full: Store) -> None:
    left = full.root / "partial" / f".{Digest.of(LATE).hex}.journal.abc"
    os.utime(left)
    prune(full, set())
    assert left.exists()


def test_an_empty_store(tmp_path: Path) -> None:
    assert prune(Store(tmp_path / "none"), set()) == Pruned(0, 0)
