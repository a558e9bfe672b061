from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.errors import UsageError
from pipeline.spec.sources import file
from pipeline.spec.sources._base import Resolved

CONTENT = bytes(range(256)) * 10_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for folder in ("specs/below", "models"):
        (root / folder).mkdir(parents=True)
    (root / "models" / "a b#c.gguf").write_bytes(CONTENT)
    (tmp_path / "outside.gguf").write_bytes(b"outside")
    return root


def resolved(root: Path, reference: str, folder: str = "specs") -> Resolved:
    return file.resolve(reference, folder=root / folder, root=root)


def read(root: Path, url: str, **extent: int) -> tuple[int, int | None, bytes]:
    with file.open(url, root=root).read(**extent) as stream:
        return stream.start, stream.size, b"".join(stream.chunks)


@pytest.mark.parametrize(
    ("reference", "folder"),
    [
        ("file:../models/a b#c.gguf", "specs"),
        ("file:../../models/a b#c.gguf", "specs/below"),
        ("file:./../specs/../models//a b#c.gguf", "specs"),
    ],
)
def test_a_path_counts_from_the_specs_folder_and_is_pinned_from_the_root(
    root: Path, reference: str, folder: str
) -> None:
    found = resolved(root, reference, folder)
    assert found.reference == found.blob.url == "file:models/a b#c.gguf"
    assert (found.blob.path, found.blob.size, found.blob.digest) == ("a b#c.gguf", len(CONTENT), None)
    assert read(root, found.blob.url)[2] == CONTENT


def test_a_file_beside_the_project_is_pinned_without_a_path_of_this_machine(root: Path) -> None:
    found = resolved(root, "file:../../outside.gguf")
    assert found.blob.url == "file:../outside.gguf"
    assert read(root, found.blob.url)[2] == b"outside"


def test_a_link_stands_for_the_file(root: Path, tmp_path: Path) -> None:
    (root / "models" / "linked.gguf").symlink_to(tmp_path / "outside.gguf")
    found = resolved(root, "file:../models/linked.gguf")
    assert (found.blob.url, found.blob.path, found.blob.size) == ("file:models/linked.gguf", "linked.gguf", 7)
    assert read(root, found.blob.url)[2] == b"outside"


def test_a_project_behind_a_link_is_the_same_project(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert resolved(tmp_path / "link", "file:../models/a b#c.gguf") == resolved(root, "file:../models/a b#c.gguf")


@pytest.mark.parametrize("reference", ["file:/etc/hosts", "file:///etc/hosts", "file:/"])
def test_absolute_paths_are_refused_in_specs_and_in_locks(root: Path, reference: str) -> None:
    with pytest.raises(UsageError, match="path of this machine alone") as caught:
        resolved(root, reference)
    assert "link the file into the project" in caught.value.hint
    with pytest.raises(UsageError, match="path of this machine alone"), file.open(reference, root=root).read():
        pytest.fail("it was opened")


def test_what_is_no_file_is_told(root: Path) -> None:
    os.mkfifo(root / "models" / "pipe")
    for name in ("none.gguf", "pipe", "../models"):
        with pytest.raises(UsageError, match="no such file") as caught:
            resolved(root, f"file:../models/{name}")
        assert "counts from the spec's folder" in caught.value.hint
        with pytest.raises(UsageError, match="no such file"), file.open(f"file:models/{name}", root=root).read():
            pytest.fail("it was opened")


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may read everything, so root gives its rights up for a while."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


def test_a_file_that_may_not_be_read_is_told(root: Path, nobody: None) -> None:
    if os.geteuid() != 65534:
        (root / "models" / "a b#c.gguf").chmod(0)
    with pytest.raises(UsageError, match="can't read"), file.open("file:models/a b#c.gguf", root=root).read():
        pytest.fail("it was opened")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, None),
        (0, 1),
        (5, 5),
        (7, 300),
        (1 << 20, (1 << 20) + 9),
        (len(CONTENT) - 1, None),
        (len(CONTENT) + 5, None),
        (0, len(CONTENT) + 9),
    ],
)
def test_parts_are_read(root: Path, start: int, end: int | None) -> None:
    extent = {"start": start} if end is None else {"start": start, "end": end}
    assert read(root, "file:models/a b#c.gguf", **extent) == (start, len(CONTENT), CONTENT[start:end])
