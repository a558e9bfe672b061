from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.digest import CHUNK, Digest

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_digest_reads_back_as_it_is_written() -> None:
    digest = Digest.of(b"")
    assert str(digest) == f"sha256:{EMPTY}" and Digest.parse(str(digest)) == digest and digest.short == EMPTY[:12]


@pytest.mark.parametrize(
    "text", ["", EMPTY, f"sha256:{EMPTY.upper()}", f"sha256:{EMPTY}\n", f"sha256:{EMPTY}0", f"md5:{EMPTY}", None, 5]
)
def test_nothing_else_becomes_a_digest(text: object) -> None:
    with pytest.raises(ValueError, match="not a digest"):
        Digest.parse(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("hex", ["../../etc/passwd", EMPTY + "\n", EMPTY[:-1], EMPTY[:-1] + "G"])
def test_nor_by_the_back_door(hex: str) -> None:
    with pytest.raises(ValueError, match="not a sha256 digest"):
        Digest(hex)


@given(st.text())
def test_any_text_is_a_digest_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert str(Digest.parse(text)) == text


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1])
def test_a_file_is_hashed_whole_and_told_of(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "file").write_bytes(content[:size])
    told: list[int] = []
    assert Digest.of_file(tmp_path / "file", told.append).hex == hashlib.sha256(content[:size]).hexdigest()
    assert sum(told) == size
