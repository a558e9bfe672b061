from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from pipeline.gguf.header import read_header
from pipeline.gguf.write import BOOL, NewTensor, changed, head, kept, packed, write_gguf
from tests import zoo
from tests.gguf import build

TENSORS = (
    NewTensor("hole", (3, 5), "F16"),
    NewTensor("odd", (3,), data=np.array([1, 2, 3], np.float32).tobytes()),
    NewTensor("last", (2, 2)),
)


def test_what_is_kept_is_kept_as_stored(tmp_path: Path) -> None:
    sound = read_header(zoo.SOUND)
    write_gguf(tmp_path / "same.gguf", kept(sound))
    same = read_header(tmp_path / "same.gguf")
    assert list(same.metadata) == list(sound.metadata)
    assert all(same.raw(key) == sound.raw(key) for key in sound.metadata)
    assert same.tensors == ()


def test_bytes_that_are_no_text_are_kept(tmp_path: Path) -> None:
    (tmp_path / "odd.gguf").write_bytes(build.file([build.pair("general.name", build.STRING, build.text(b"\xff\xfe"))]))
    write_gguf(tmp_path / "copy.gguf", kept(read_header(tmp_path / "odd.gguf")))
    assert (tmp_path / "copy.gguf").read_bytes() == (tmp_path / "odd.gguf").read_bytes()


def test_changes_replace_add_and_remove(tmp_path: Path) -> None:
    sound = read_header(zoo.SOUND)
    changes = {"general.name": packed("Other"), "general.license": None, "a.new": packed([1, -1], 5)}
    write_gguf(tmp_path / "other.gguf", changed(sound, changes))
    other = read_header(tmp_path / "other.gguf")
    assert other.metadata["general.name"] == "Other" and "general.license" not in other.metadata
    assert list(other.metadata["a.new"]) == [1, -1]
    assert [*other.metadata][:-1] == [key for key in sound.metadata if key != "general.license"]


def test_gguf_py_reads_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "made.gguf"
    values = {"general.architecture": "llama", "flag": True, "real": 0.5, "big": 1 << 40, "words": ["a", "", "ü"]}
    write_gguf(path, {key: packed(value) for key, value in values.items()}, TENSORS)  # type: ignore[arg-type]
    reader = gguf.GGUFReader(path)
    assert {key: reader.fields[key].contents() for key in values} == values
    assert [(tensor.name, tensor.shape.tolist()) for tensor in reader.tensors] == [
        ("hole", [3, 5]),
        ("odd", [3]),
        ("last", [2, 2]),
    ]
    assert [tensor.data.sum() for tensor in reader.tensors] == [0, 6, 0]


def test_types_follow_from_the_values() -> None:
    kinds = [int.from_bytes(packed(value)[:4], "little") for value in ("x", b"x", False, 1, -1, 1 << 32, 1.0)]
    assert kinds == [8, 8, BOOL, 4, 11, 11, 6]
    assert packed([True], BOOL) == bytes([9, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1])
    assert packed([])[:8] == bytes([9, 0, 0, 0, 4, 0, 0, 0])


@pytest.mark.parametrize("alignment", [8, 32, 256])
def test_the_alignment_is_the_one_that_the_metadata_says(alignment: int, tmp_path: Path) -> None:
    metadata = {"general.architecture": packed("llama"), "general.alignment": packed(alignment)}
    write_gguf(tmp_path / "made.gguf", metadata, TENSORS)
    made = read_header(tmp_path / "made.gguf")
    assert (made.alignment, len(head(metadata, TENSORS))) == (alignment, made.data_offset)
    assert all(tensor.offset % alignment == 0 for tensor in made.tensors)
    assert made.size == made.tensors[-1].offset + 16 + -16 % alignment


def test_a_hole_takes_no_space(tmp_path: Path) -> None:
    write_gguf(tmp_path / "hole.gguf", {}, (NewTensor("hole", (1 << 20, 64)),))
    told = (tmp_path / "hole.gguf").stat()
    assert told.st_size > 1 << 28 and told.st_blocks * 512 < 1 << 20


def test_data_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has 3 bytes, its shape needs 4"):
        write_gguf(tmp_path / "made.gguf", {}, (NewTensor("odd", (1,), data=b"abc"),))
