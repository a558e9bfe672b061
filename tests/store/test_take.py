from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, UsageError
from pipeline.store import take as module
from pipeline.store.fetch import fetch, learn
from pipeline.store.layout import Store
from pipeline.store.partial import Partial
from tests.origin import Origin
from tests.store.blobs import locked
from tests.store.heard import Heard

CONTENT = b"GGUF" + os.urandom(3 << 20)
DIGEST = Digest.of(CONTENT)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "project" / "m.gguf"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


def bring(store: Store, source: Path) -> Path:
    return fetch(store, locked(CONTENT, "file:m.gguf"), source.parent)


def test_a_copy_is_taken_that_nobody_else_can_change(store: Store, source: Path) -> None:
    path = bring(store, source)
    source.write_bytes(b"changed by its owner")
    assert path.read_bytes() == CONTENT and path.stat().st_nlink == 1 and path.stat().st_mode & 0o777 == 0o444
    assert not list(store.root.glob("partial/*"))


def test_where_the_kernel_copies_nothing_we_do(store: Store, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> int:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    monkeypatch.setattr(fcntl, "ioctl", refuse)
    monkeypatch.setattr(module, "_STEP", 100_000)
    assert bring(store, source).read_bytes() == CONTENT


def test_blocks_are_shared_where_the_file_system_can(tmp_path: Path) -> None:
    """On a real one, made for this."""
    image, place = tmp_path / "image", tmp_path / "mounted"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(400 << 20)
    made = False
    for make in (["mkfs.xfs", "-q", "-m", "reflink=1"], ["mkfs.btrfs", "-q"]):
        if os.geteuid() == 0:
            try:
                subprocess.run([*make, image], check=True, capture_output=True)
                subprocess.run(["mount", "-o", "loop", image, place], check=True, capture_output=True)
                made = True
                break
            except (OSError, subprocess.CalledProcessError):
                continue
    if not made:
        pytest.skip("no file system with reflinks can be mounted here: NOTHING is known about sharing blocks")
    try:
        source = place / "m.gguf"
        source.write_bytes(CONTENT * 20)
        os.sync()
        free = os.statvfs(place).f_bavail
        reading = source.open("rb")
        with reading, (place / "copy").open("wb") as writing:
            assert module.clone(reading.fileno(), writing.fileno())
        os.sync()
        assert (place / "copy").read_bytes() == CONTENT * 20
        assert (free - os.statvfs(place).f_bavail) * os.statvfs(place).f_frsize < len(CONTENT) * 5
    finally:
        subprocess.run(["umount", place], check=True)


def test_what_was_kept_of_it_is_not_needed(store: Store, source: Path) -> None:
    store.partial(DIGEST).parent.mkdir(parents=True)
    store.partial(DIGEST).write_bytes(b"rubbish")
    assert bring(store, source).read_bytes() == CONTENT


def test_another_size_and_other_bytes_are_refused(store: Store, source: Path) -> None:
    source.write_bytes(CONTENT + b"?")
    with pytest.raises(DigestMismatch, match=f"has {len(CONTENT) + 1} bytes, not the {len(CONTENT)} of m.gguf"):
        bring(store, source)
    source.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    with pytest.raises(DigestMismatch, match="is not what the lock names"):
        bring(store, source)
    assert not store.has(DIGEST) and source.exists()
    assert not list(store.root.glob("quarantine/*")) and not list(store.root.glob("partial/*"))


def test_what_can_not_be_read_is_told(store: Store, tmp_path: Path) -> None:
    partial = Partial(store.partial(DIGEST), DIGEST, 5, journaled=False)
    with pytest.raises(UsageError, match=r"can't read .*No such file"):
        module.take(tmp_path / "none", partial, "m", lambda: False, lambda there: None)
    with pytest.raises((UsageError, DigestMismatch)):
        module.take(tmp_path, partial, "m", lambda: False, lambda there: None)
    partial.close()


def test_learning_takes_it_too(store: Store, source: Path) -> None:
    assert learn(store, "file:m.gguf", len(CONTENT), source.parent) == DIGEST
    assert store.path(DIGEST).read_bytes() == CONTENT and not list(store.root.glob("partial/*"))
    with pytest.raises(DigestMismatch, match="not the 5 of a moment ago"):
        learn(store, "file:m.gguf", 5, source.parent)


@pytest.mark.parametrize("damaged", [False, True])
def test_what_another_tool_has_is_taken_and_where_it_is_damaged_the_hub_is_asked(
    store: Store, server: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    commit = "0123456789" * 4
    cached = tmp_path / "hub" / "models--org--name" / "snapshots" / commit / "m.gguf"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(CONTENT[:-1] + b"?" if damaged else CONTENT)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    server.put(f"/org/name/resolve/{commit}/m.gguf", CONTENT)
    file, heard = locked(CONTENT, f"hf://org/name@{commit}/m.gguf"), Heard()
    if damaged:
        with pytest.raises(DigestMismatch, match=f"m.gguf from {cached} is not what the lock names"):
            fetch(store, file, tmp_path, offline=True)
    assert fetch(store, file, tmp_path, offline=not damaged, progress=heard).read_bytes() == CONTENT
    assert len(server.asked) == damaged and len(heard.notes) == damaged
    assert not list(store.root.glob("quarantine/*"))
