from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.store.foreign import foreign, foreign_file


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "a Git LFS pointer came instead of the file"),
        (b"<!DOCTYPE HTML><html>", "an HTML page came instead of the file"),
        (b"\xef\xbb\xbf\r\n <html lang=en>", "an HTML page came instead of the file"),
        (b"GGUF\x03\0\0\0", ""),
        (b"", ""),
    ],
)
def test_what_the_beginning_gives_away(head: bytes, said: str) -> None:
    assert foreign(head) == said


def test_only_weights_are_expected_to_be_gguf(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"some text")
    assert foreign_file(path, "weights", "m.gguf") == "what came is no GGUF file"
    assert foreign_file(path, "license", "LICENSE") == foreign_file(path, "weights", "m.bin") == ""
    path.write_bytes(b"GGUF and more")
    assert foreign_file(path, "shard", "m.gguf") == ""
    path.write_bytes(b"")
    assert foreign_file(path, "mmproj", "m.gguf") == ""
