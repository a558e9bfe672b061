from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.store import follow, hashing
from pipeline.store.follow import Follower
from pipeline.store.hashing import Hasher
from pipeline.store.partial import Partial
from tests.projects import until

LEAF = 1000
DIGEST = Digest.of(b"?")


@pytest.fixture(autouse=True)
def small_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "LEAF", LEAF)
    monkeypatch.setattr(hashing, "LEAF", LEAF)
    monkeypatch.setattr(follow, "CHUNK", 300)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[list[Partial]]:
    partials: list[Partial] = []
    yield partials
    for partial in partials:
        partial.close()


def write(partial: Partial, content: bytes, start: int, end: int) -> None:
    descriptor = partial.descriptor()
    partial.write(descriptor, content[start:end], start)
    partial.record(start, end)
    os.close(descriptor)


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 2000, 2999, 5500])
def test_in_whatever_order_the_bytes_come_the_digests_are_those_of_one_pass(
    tmp_path: Path, opened: list[Partial], size: int
) -> None:
    content, chance = random.Random(size).randbytes(size), random.Random(size + 1)
    partial = Partial(tmp_path / "file", DIGEST, size, journaled=True)
    opened.append(partial)
    follower = Follower(partial)
    pieces = [(start, min(start + 70, size)) for start in range(0, size, 70)]
    chance.shuffle(pieces)
    for start, end in pieces:
        assert not follower.done()
        write(partial, content, start, end)
    until(follower.done)
    hasher = Hasher()
    hasher.update(content)
    assert (follower.digest, follower.leaves) == (hasher.digest, hasher.leaves)


def test_what_is_there_already_is_hashed_too(tmp_path: Path, opened: list[Partial]) -> None:
    content = random.Random(1).randbytes(3500)
    first = Partial(tmp_path / "file", DIGEST, len(content), journaled=True)
    write(first, content, 0, 2500)
    first.close()
    second = Partial(tmp_path / "file", DIGEST, len(content), journaled=True)
    opened.append(second)
    follower = Follower(second)
    write(second, content, 2500, 3500)
    until(follower.done)
    assert follower.digest == Digest.of(content) and len(follower.leaves) == 4


def test_it_ends_when_it_is_told_to(tmp_path: Path, opened: list[Partial]) -> None:
    partial = Partial(tmp_path / "file", DIGEST, 5000, journaled=True)
    opened.append(partial)
    follower = Follower(partial)
    assert not follower.done()
    follower.stop()
    until(follower.done)


def test_a_file_that_is_cut_while_it_is_hashed_is_an_error(tmp_path: Path, opened: list[Partial]) -> None:
    partial = Partial(tmp_path / "file", DIGEST, 5000, journaled=True)
    opened.append(partial)
    follower = Follower(partial)
    os.truncate(partial.path, 100)
    partial.record(0, 5000)
    with pytest.raises(OSError, match="the file became shorter"):
        until(follower.done)
