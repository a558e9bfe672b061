from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.store.partial import Full, Partial, journal_of

SIZE = 1000
DIGEST = Digest.of(b"?")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "partial" / DIGEST.hex


def opened(path: Path, digest: Digest = DIGEST, size: int = SIZE, journaled: bool = True) -> Partial:
    return Partial(path, digest, size, journaled=journaled)


def filled(path: Path, *ranges: tuple[int, int]) -> None:
    """Leave a partial file with these ranges behind."""
    partial = opened(path)
    descriptor = partial.descriptor()
    for start, end in ranges:
        partial.write(descriptor, b"x" * (end - start), start)
        partial.record(start, end)
    os.close(descriptor)
    partial.close()


def test_what_was_recorded_is_kept_and_the_file_has_its_size_at_once(path: Path) -> None:
    filled(path, (500, 600), (0, 10), (10, 20))
    assert path.stat().st_size == SIZE
    partial = opened(path)
    assert (list(partial.spans), partial.kept) == ([(0, 20), (500, 600)], 120)
    partial.reset()
    assert (list(partial.spans), partial.kept) == ([], 0)
    partial.close()
    partial.discard()
    assert list(path.parent.iterdir()) == []


def test_a_journal_speaks_of_its_own_file_alone(path: Path) -> None:
    for change in ("digest", "size", "inode"):
        filled(path, (0, 100))
        if change == "inode":
            content = path.read_bytes()
            (path.parent / "new").write_bytes(content)
            os.replace(path.parent / "new", path)
        partial = opened(
            path, Digest.of(b"!") if change == "digest" else DIGEST, SIZE + 1 if change == "size" else SIZE
        )
        assert list(partial.spans) == [], change
        partial.discard()


@pytest.mark.parametrize(
    ("line", "kept"),
    {
        "torn": (b"50 6", 20),
        "torn before the second number": (b"50", 20),
        "beyond the end": (b"900 1001\n", 20),
        "backwards": (b"60 50\n", 20),
        "no number": (b"a b\n", 20),
        "not ASCII": (b"\xff \xb2\n", 20),
        "negative": (b"-5 60\n", 20),
        "good": (b"50 60\n", 30),
    }.values(),
)
def test_a_journal_counts_up_to_what_makes_no_sense(path: Path, line: bytes, kept: int) -> None:
    filled(path, (0, 20))
    with journal_of(path).open("ab") as journal:
        journal.write(line)
    partial = opened(path)
    assert partial.kept == kept
    partial.record(20, 25)  # and what follows is not lost by what was torn
    partial.close()
    again = opened(path)
    assert again.kept == kept + 5
    again.close()


def test_a_range_beyond_what_the_file_holds_does_not_count(path: Path) -> None:
    filled(path, (0, 20), (500, 600))
    os.truncate(path, 100)
    partial = opened(path)
    assert list(partial.spans) == [(0, 20)] and path.stat().st_size == SIZE
    partial.close()


def test_without_a_journal_the_size_says_it_all(path: Path) -> None:
    path.parent.mkdir()
    for journaled in (False, True):
        path.write_bytes(b"x" * 300)
        partial = opened(path, journaled=journaled)
        assert list(partial.spans) == [(0, 300)] and journal_of(path).exists() is journaled
        partial.discard()
    path.write_bytes(b"x" * (SIZE + 1))
    partial = opened(path)
    assert partial.kept == 0
    partial.discard()


@pytest.mark.parametrize("kind", ["symlink", "dangling", "hard link", "fifo"])
def test_what_somebody_planted_is_never_written_through(path: Path, tmp_path: Path, kind: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    path.parent.mkdir()
    if kind == "symlink":
        path.symlink_to(victim)
    elif kind == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "hard link":
        path.hardlink_to(victim)
    else:
        os.mkfifo(path)
    filled(path, (0, SIZE))
    assert path.is_file() and not path.is_symlink() and path.stat().st_nlink == 1
    assert victim.read_bytes() == b"precious" and not (tmp_path / "nowhere").exists()


def test_a_folder_in_its_place_is_told(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(Full, match="Is a directory"):
        opened(path)


def test_one_who_was_left_behind_records_nothing(path: Path) -> None:
    partial = opened(path)
    descriptor = partial.descriptor()
    partial.discard()
    partial.write(descriptor, b"late", 0)
    partial.record(0, 4)
    os.close(descriptor)
    assert not path.exists() and not journal_of(path).exists()
