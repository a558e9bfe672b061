from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch
from pipeline.core.progress import Task
from pipeline.lock.model import LockedFile
from pipeline.store import verify as module
from pipeline.store.hashing import Hasher
from pipeline.store.layout import Store
from pipeline.store.verify import Verified, require, verify
from tests.projects import flip
from tests.store.heard import Heard

CONTENTS = {name: name.encode() * 50_000 for name in ("one", "two", "three")}


def locked(name: str) -> LockedFile:
    content = CONTENTS[name]
    return LockedFile(
        role="weights",
        path=f"{name}.gguf",
        size=len(content),
        sha256=str(Digest.of(content)),
        urls=(f"file:{name}",),
        known="spec",
    )


FILES = [locked(name) for name in CONTENTS]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    (store.root / "partial").mkdir(parents=True)
    for file, content in zip(FILES, CONTENTS.values(), strict=True):
        partial = store.partial(file.digest)
        partial.write_bytes(content)
        store.publish(partial, file.digest, Hasher().read(partial).leaves)
    return store


def test_receipts_are_trusted_and_deep_trusts_nothing(store: Store) -> None:
    assert [(r.ok, r.hashed, r.got) for r in verify(store, FILES, deep=False)] == [(True, False, None)] * 3
    assert [(r.ok, r.hashed, r.got) for r in verify(store, FILES, deep=True)] == [
        (True, True, file.digest) for file in FILES
    ]


def test_one_flipped_bit_is_found_by_deep_and_named(store: Store) -> None:
    file, path = FILES[1], store.path(FILES[1].digest)
    flip(path, 77_777)
    assert all(result.ok for result in verify(store, FILES, deep=False))  # size, time and inode are as they were
    results = verify(store, FILES, deep=True)
    assert [result.ok for result in results] == [True, False, True]
    bad = results[1]
    assert bad.kept is not None and bad.got == Digest.of_file(bad.kept) != file.digest
    assert not path.exists() and store.receipt(file.digest) is None and bad.kept.parent.name == "quarantine"
    with pytest.raises(DigestMismatch) as caught:
        require(results)
    wanted = [
        "two.gguf: other bytes than the lock names",
        f"want {file.digest}",
        f"got  {bad.got}",
        f"size {file.size}",
        f"path {path}",
        f"moved to {bad.kept}",
    ]
    assert [line.strip() for line in caught.value.message.splitlines()] == wanted
    assert caught.value.hint == "the bad file is kept for inspection; run assay verify --deep --repair, or assay fetch"
    (missing,) = verify(store, [file], deep=True)
    assert (missing.problem, missing.hashed) == ("missing: not in the store", False)
    with pytest.raises(DigestMismatch, match="missing") as caught:
        require([missing])
    assert caught.value.hint == "run assay verify --deep --repair, or assay fetch"


@pytest.mark.parametrize("deep", [False, True])
def test_another_size_is_found_without_deep(store: Store, deep: bool) -> None:
    path = store.path(FILES[0].digest)
    path.chmod(0o644)
    with path.open("ab") as out:
        out.write(b"!")
    (bad,) = verify(store, [FILES[0]], deep=deep)
    assert bad.problem == f"{FILES[0].size + 1} bytes instead of {FILES[0].size}" and bad.kept is not None


def test_a_file_without_a_fitting_receipt_is_hashed_and_remembered(store: Store) -> None:
    first, second = FILES[0].digest, FILES[1].digest
    store.receipt_path(first).unlink()
    os.utime(store.path(second))
    for hashed in ([True, True, False], [False, False, False]):
        assert [(result.ok, result.hashed) for result in verify(store, FILES, deep=False)] == [
            (True, each) for each in hashed
        ]


def test_a_blob_that_changes_while_it_is_hashed_is_hashed_again_the_next_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = FILES[0].digest
    store.receipt_path(digest).unlink()
    real = Hasher.read

    def slow(self: Hasher, path: Path, *rest: object) -> Hasher:
        found = real(self, path, *rest)  # type: ignore[arg-type]
        path.chmod(0o644)
        path.write_bytes(b"changed behind our back")
        return found

    monkeypatch.setattr(Hasher, "read", slow)
    verify(store, [FILES[0]], deep=False)
    monkeypatch.undo()
    (result,) = verify(store, [FILES[0]], deep=False)
    assert result.hashed and not result.ok


def test_a_good_blob_that_came_meanwhile_is_not_put_away(store: Store) -> None:
    path = store.path(FILES[0].digest)
    judged = path.stat()
    good = path.read_bytes()
    path.unlink()
    path.write_bytes(good)
    os.utime(path, ns=(0, 0))
    assert module._put_away(store, path, FILES[0].digest, judged) is None and path.exists()
    path.unlink()
    assert module._put_away(store, path, FILES[0].digest, judged) is None


def test_looking_alone_moves_nothing(store: Store) -> None:
    path = store.path(FILES[0].digest)
    flip(path)
    (bad,) = verify(store, [FILES[0]], deep=True, quarantine=False)
    assert not bad.ok and bad.kept is None and path.exists()


def test_a_store_that_can_not_be_written_is_still_judged(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    flip(store.path(FILES[0].digest))
    store.receipt_path(FILES[1].digest).unlink()

    def refuse(*arguments: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Store, "remember", refuse)
    monkeypatch.setattr(Store, "quarantine", refuse)
    bad, good, _ = verify(store, FILES, deep=True)
    assert (bad.ok, bad.kept, good.ok) == (False, None, True)


def test_a_link_in_a_blobs_place_is_no_blob(store: Store, tmp_path: Path) -> None:
    """Not even to the right bytes: who owns them may change them."""
    path, precious = store.path(FILES[0].digest), tmp_path / "precious"
    path.rename(precious)
    path.symlink_to(precious)
    assert not store.has(FILES[0].digest)
    (bad,) = verify(store, [FILES[0]], deep=False)
    assert bad.problem == "a link to somewhere else" and bad.kept is not None and bad.kept.is_symlink()
    assert precious.read_bytes() == CONTENTS["one"] and not path.is_symlink()


def test_an_interrupt_does_not_wait_for_the_hashing(store: Store) -> None:
    """It comes while a large file is hashed, of which most is left."""
    size = 8 << 30
    large = FILES[0].model_copy(update={"size": size, "sha256": "sha256:" + "0" * 64})
    store.path(large.digest).parent.mkdir(parents=True)
    with store.path(large.digest).open("wb") as file:
        file.truncate(size)

    class Interrupting(Heard):
        heard = 0

        def advance(self, amount: int = 1) -> None:
            self.heard += 1
            if self.heard == 100:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        @contextmanager
        def task(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
            yield self

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        verify(store, [large, *FILES[1:]], deep=True, progress=Interrupting())
    assert time.monotonic() - began < 2
    assert store.has(large.digest)


def test_a_folder_in_a_blobs_place_is_unreadable(store: Store) -> None:
    path = store.path(FILES[0].digest)
    path.unlink()
    path.mkdir()
    (result,) = verify(store, [FILES[0]], deep=False)
    assert result.problem == "unreadable: Is a directory"


def test_a_blob_is_judged_once_however_often_it_is_named(store: Store) -> None:
    assert len(verify(store, [*FILES, *FILES], deep=True)) == 3
    assert verify(store, [], deep=True) == []
    require([Verified(FILES[0], store.path(FILES[0].digest), True)])


def test_progress_hears_of_every_byte(store: Store) -> None:
    for deep in (False, True):
        heard = Heard()
        verify(store, FILES, deep=deep, progress=heard)
        assert heard.tasks == {"verify": (sum(file.size for file in FILES), sum(file.size for file in FILES))}
