from __future__ import annotations

import struct

import pytest

from pipeline.gguf.header import parse_header
from tests.gguf.build import ARRAY, UINT32, file, pair, strings


def metadata(raw: bytes) -> object:
    content = file([raw])
    return parse_header(content, len(content)).metadata["a"]


def test_numbers() -> None:
    array = metadata(pair("a", ARRAY, struct.pack("<IQ3I", UINT32, 3, 7, 8, 9)))
    assert isinstance(array, type(array)) and list(array) == [7, 8, 9]  # type: ignore[call-overload]
    assert (array[0], array[-1], array[1:]) == (7, 9, [8, 9])  # type: ignore[index]


def test_strings() -> None:
    array = metadata(strings("a", ["", "é", "third"]))
    assert list(array) == ["", "é", "third"]  # type: ignore[call-overload]
    assert (array[-1], array[:2]) == ("third", ["", "é"])  # type: ignore[index]
    assert array.index("é") == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("index", [2, -3])
def test_an_index_outside_is_an_error(index: int) -> None:
    with pytest.raises(IndexError):
        metadata(strings("a", ["x", "y"]))[index]  # type: ignore[index]


def test_bytes_that_are_not_utf8_are_shown_as_such() -> None:
    raw = pair("a", ARRAY, struct.pack("<IQQ", 8, 1, 2) + b"a\xff")
    assert list(metadata(raw)) == ["a\ufffd"]  # type: ignore[call-overload]


def test_strings_as_they_are_stored() -> None:
    array = metadata(strings("a", ["", "é", "third"]))
    raw = [one.encode() for one in ("", "é", "third")]
    assert list(array.stored()) == [struct.pack("<Q", len(one)) + one for one in raw]  # type: ignore[attr-defined]
    assert list(metadata(strings("a", [])).stored()) == []  # type: ignore[attr-defined]
