from __future__ import annotations

import os
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import gguf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.gguf.facts import facts_of
from pipeline.gguf.header import GgufError, Header, HeaderCut, parse_header, read_header
from tests.gguf.build import ARCHITECTURE, ARRAY, STRING, UINT32, file, pair, strings, tensor, text
from tests.zoo import SOUND


def parse(content: bytes) -> Header:
    return parse_header(content, len(content))


def test_agrees_with_gguf_py() -> None:
    header, reader = read_header(SOUND), gguf.GGUFReader(SOUND)
    wanted = {key: item.contents() for key, item in reader.fields.items() if not key.startswith("GGUF.")}
    assert set(header.metadata) == set(wanted)
    for key, value in header.metadata.items():
        assert (list(value) if isinstance(wanted[key], list) else value) == wanted[key], key
    assert [(t.name, t.shape, t.type, t.offset, t.nbytes, t.elements) for t in header.tensors] == [
        (t.name, tuple(t.shape.tolist()), t.tensor_type.name, t.data_offset, t.n_bytes, t.n_elements)
        for t in reader.tensors
    ]
    assert header.data_offset == reader.data_offset
    assert (header.version, header.alignment, header.size) == (3, 32, SOUND.stat().st_size)


def test_version_2_is_read() -> None:
    content = bytearray(file([ARCHITECTURE]))
    content[4] = 2
    assert parse(bytes(content)).version == 2


def test_nothing_of_the_file_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(file([ARCHITECTURE, strings("tokenizer.ggml.tokens", ["a", "b"])], [tensor("w", [8])], 32))
    header = read_header(path)
    path.write_bytes(b"")  # with a map still open, the next line would kill the process
    assert list(header.metadata["tokenizer.ggml.tokens"]) == ["a", "b"]
    assert len(header.source.data) == header.data_offset


@pytest.mark.parametrize("name", ["absent.gguf", "."])
def test_what_cannot_be_read_is_the_users_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_header(tmp_path / name)
    assert caught.value.hint and str(tmp_path) in str(caught.value)


W = [tensor("w", [32])]
BROKEN: dict[str, tuple[bytes, int, str]] = {
    "duplicate key": (file([ARCHITECTURE, ARCHITECTURE]), 24 + len(ARCHITECTURE), "stands twice"),
    "empty key": (file([pair("", UINT32, b"\0\0\0\0")]), 24, "empty"),
    "key not UTF-8": (file([text(b"\xff\xfe") + struct.pack("<I", UINT32) + b"\0\0\0\0"]), 24, "not UTF-8"),
    "unknown value type": (file([pair("a", 13, b"\0" * 8)]), 33, "unknown value type 13"),
    "array of arrays": (file([pair("a", ARRAY, struct.pack("<IQ", ARRAY, 1) + b"\0" * 16)]), 37, "unsupported type 9"),
    "array beyond the file": (file([pair("a", ARRAY, struct.pack("<IQ", UINT32, 1 << 62))]), 49, "left in the file"),
    "string in an array beyond the file": (
        file([pair("a", ARRAY, struct.pack("<IQQQ", STRING, 2, 1 << 63, 0))]),
        49,
        "left in the file",
    ),
    "alignment 0": (file([pair("general.alignment", UINT32, b"\0\0\0\0")]), 53, "power of two"),
    "alignment as text": (file([pair("general.alignment", STRING, text("32"))]), 53, "power of two"),
    "unknown tensor type": (file([], [tensor("w", [32], 77)], 128), 24, "unknown type 77"),
    "removed tensor type": (file([], [tensor("w", [32], 4)], 128), 24, "unknown type 4"),
    "broken block": (file([], [tensor("w", [33], 8)], 128), 24, "can't have the shape"),
    "overflowing shape": (file([], [tensor("w", [1 << 32, 1 << 32])], 128), 24, "can't have the shape"),
    "five dimensions": (file([], [tensor("w", [1] * 5)], 128), 24, "5 dimensions"),
    "tensor twice": (file([], [*W, tensor("w", [32], offset=128)], 256), 24 + len(W[0]), "stands twice"),
    "long tensor name": (file([], [tensor("w" * 64, [32])], 128), 24, "longer than 63"),
    "overlapping tensors": (
        file([], [*W, tensor("v", [32], offset=64)], 256),
        24 + len(W[0]),
        "without gap or overlap",
    ),
    "gap between tensors": (file([], [*W, tensor("v", [32], offset=160)], 512), 24 + len(W[0]), "want 128"),
    "offset overflows": (file([], [tensor("w", [32], offset=(1 << 64) - 32)], 128), 24, "want 0"),
    "weights cut": (file([], W, 127), 24, "but the file has"),
    "too many keys": (file()[:16] + struct.pack("<Q", 70_000) + b"\0" * 70_000 * 13, 16, "no real model"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file_is_refused_with_the_place(name: str) -> None:
    content, offset, message = BROKEN[name]
    with pytest.raises(GgufError, match=message) as caught:
        parse(content)
    assert caught.value.offset == offset
    assert f"at byte {offset}" in str(caught.value) and caught.value.hint


def test_every_cut_is_refused() -> None:
    content = file([ARCHITECTURE, strings("tokenizer.ggml.tokens", ["a", "bc"])], W, 128)
    parse(content)
    for length in range(len(content)):
        with pytest.raises(GgufError):
            parse(content[:length])


def test_a_header_beyond_all_bounds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sparse.gguf"
    head = file([pair("a", STRING, struct.pack("<Q", 1 << 30))])
    with path.open("wb") as out:
        out.write(head)
        out.truncate(1 << 31)
    with pytest.raises(GgufError, match="MiB of header"):
        read_header(path)


def test_absurd_counts_allocate_nothing() -> None:
    contents = [content for content, _, _ in BROKEN.values() if len(content) < 10_000]
    tracemalloc.start()
    try:
        for content in contents:
            with pytest.raises(GgufError):
                parse(content)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_memory_stays_within_a_few_headers() -> None:
    content = file([ARCHITECTURE, strings("tokenizer.ggml.tokens", [""] * 200_000)])
    tracemalloc.start()
    try:
        header = parse(content)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(content)
    finally:
        tracemalloc.stop()
    assert len(header.metadata["tokenizer.ggml.tokens"]) == 200_000


def test_a_large_vocabulary_is_fast() -> None:
    tokens = [f"token{number}" for number in range(262_144)]
    merges = [f"a b{number}" for number in range(500_000)]
    content = file([ARCHITECTURE, strings("tokenizer.ggml.tokens", tokens), strings("tokenizer.ggml.merges", merges)])
    started = time.process_time()
    header = parse(content)
    assert time.process_time() - started < 0.5
    assert header.metadata["tokenizer.ggml.tokens"][262_143] == "token262143"


HEAD = SOUND.read_bytes()[:30_000]
SMALL = file(
    [
        ARCHITECTURE,
        pair("llama.context_length", UINT32, b"\0\1\0\0"),
        strings("tokenizer.ggml.tokens", ["a", "b", "<s>"]),
    ],
    [tensor("w", [32, 2], 8), tensor("v", [32], offset=96)],
    256,
)
INTERESTING = st.sampled_from([b"\0", b"\1", b"\xff", b"\x7f", b"\x80", b"\xff" * 4, b"\xff" * 8, b"\0" * 8])
PATCHES = st.lists(st.tuples(st.integers(0, 400), INTERESTING | st.binary(min_size=1, max_size=9)), max_size=6)


def survives(content: bytes, size: int) -> None:
    """Whatever the bytes, the result is a header whose parts can be read, or a GgufError."""
    try:
        header = parse_header(content, size)
        facts: Any = facts_of(header).summary()
        assert isinstance(facts, dict)
        for value in header.metadata.values():
            assert repr(value) and (not hasattr(value, "__iter__") or len(list(value)) == len(value))
    except GgufError as error:
        assert error.hint and error.offset <= size


@settings(max_examples=300, deadline=1000)
@given(patches=PATCHES, keep=st.integers(0, len(SMALL)) | st.just(len(SMALL)))
def test_mutated_small_file(patches: list[tuple[int, bytes]], keep: int) -> None:
    content = bytearray(SMALL)
    for offset, raw in patches:
        content[offset : offset + len(raw)] = raw
    survives(bytes(content[:keep]), keep)


@settings(max_examples=100, deadline=2000)
@given(patches=st.lists(st.tuples(st.integers(0, 29_000), INTERESTING), min_size=1, max_size=4))
def test_mutated_sound_model(patches: list[tuple[int, bytes]]) -> None:
    content = bytearray(HEAD)
    for offset, raw in patches:
        content[offset : offset + len(raw)] = raw
    survives(bytes(content), SOUND.stat().st_size)


def test_a_part_of_a_sound_file_is_told_from_a_broken_one() -> None:
    """Whatever the first bytes are, they give the header, or say how many more are needed: never that the file is bad."""
    content = file(
        [ARCHITECTURE, strings("tokens", ["a", "bcd"] * 20), pair("n", UINT32, b"\1\0\0\0")], [tensor("w", [8])], 32
    )
    whole = parse(content)
    for length in range(4, len(content) + 1):
        try:
            found = parse_header(content[:length], len(content))
            assert (found.tensors, found.data_offset, list(found.metadata)) == (
                whole.tensors,
                whole.data_offset,
                list(whole.metadata),
            )
        except HeaderCut as cut:
            assert length < cut.wanted <= whole.data_offset
            with pytest.raises(GgufError):
                parse(content[:length])


def test_a_part_of_a_broken_file_asks_for_nothing_more() -> None:
    endless = file([ARCHITECTURE, pair("a", STRING, struct.pack("<Q", 1 << 40))])
    with pytest.raises(GgufError) as caught:
        parse_header(endless, 1 << 30)
    assert not isinstance(caught.value, HeaderCut)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.gguf")
    with pytest.raises(GgufError, match="not a plain file"):
        read_header(tmp_path / "x.gguf")
