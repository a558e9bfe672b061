from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.store import hashing
from pipeline.store.hashing import Hasher


def leaves(content: bytes, size: int) -> tuple[str, ...]:
    return tuple(hashlib.sha256(content[at : at + size]).hexdigest() for at in range(0, len(content), size))


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.binary(max_size=40), max_size=8), leaf=st.integers(1, 20))
def test_however_bytes_come_the_digests_are_those_of_the_whole_and_of_each_leaf(parts: list[bytes], leaf: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashing, "LEAF", leaf)
        hasher, content = Hasher(), b"".join(parts)
        for part in parts:
            hasher.update(part)
        assert hasher.digest.hex == hashlib.sha256(content).hexdigest()
        assert (hasher.leaves, hasher.size) == (leaves(content, leaf), len(content))


def test_a_file_is_fed_after_what_came_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 3_000_000)
    told: list[int] = []
    hasher = Hasher().read(tmp_path / "file", told.append)
    hasher.update(memoryview(b"y"))
    assert hasher.digest.hex == hashlib.sha256(b"x" * 3_000_000 + b"y").hexdigest()
    assert (hasher.size, sum(told)) == (3_000_001, 3_000_000)
