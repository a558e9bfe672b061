from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.errors import NetworkError
from pipeline.gguf.header import GgufError, Header, read_header
from pipeline.lock import remote as module
from pipeline.lock.remote import read_remote_header
from pipeline.spec.sources._base import source_of
from tests.gguf.build import ARCHITECTURE, STRING, file, pair, strings, tensor
from tests.origin import Origin, origin

MIB = 1 << 20
ROOT = Path("/nowhere")


@pytest.fixture
def server() -> Iterator[Origin]:
    with origin() as running:
        yield running


def remote(url: str, size: int) -> Header:
    return read_remote_header(source_of(url).open(url, root=ROOT), url, size)


def test_a_header_is_read_without_the_weights(server: Origin, tiny_chat: Path) -> None:
    content = tiny_chat.read_bytes() + bytes(20 * MIB)
    header = remote(server.put("/m.gguf", content), len(content))
    assert header.tensors == read_header(tiny_chat).tensors
    assert server.sent <= MIB and len(server.asked) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_a_long_header_is_read_on_in_growing_parts(server: Origin, ranges: bool) -> None:
    long = [
        strings("tokens", [f"token {n}" for n in range(200_000)]),
        pair("text", STRING, struct.pack("<Q", 3 * MIB) + b"x" * 3 * MIB),
    ]
    content = file([ARCHITECTURE, *long], [tensor("w", [32 * MIB])], 128 * MIB)
    header = remote(server.put("/m.gguf", content, ranges=ranges), len(content))
    assert len(header.metadata["text"]) == 3 * MIB and header.metadata["tokens"][199_999] == "token 199999"
    assert len(server.asked) <= 3
    if ranges:
        assert server.sent < 20 * MIB
        wanted = [span.removeprefix("bytes=").split("-") for _, span in server.asked if span]
        assert [int(start) for start, _ in wanted[1:]] == [int(end) + 1 for _, end in wanted[:-1]]  # nothing twice


@pytest.mark.parametrize(
    "head",
    {
        "not a GGUF": b"PK\3\4" + bytes(100),
        "text": b"<html>404" * 100,
        "version 9": b"GGUF" + struct.pack("<IQQ", 9, 1, 1) + bytes(100),
        "a count beyond reason": b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 1) + bytes(100),
        "a string beyond the file": file([ARCHITECTURE, pair("a", STRING, struct.pack("<Q", 1 << 40))]),
        "an unknown type": file([ARCHITECTURE, pair("a", 77, bytes(8))]),
        "a key twice": file([ARCHITECTURE, ARCHITECTURE]),
    }.values(),
)
def test_a_malformed_file_is_left_at_once(server: Origin, head: bytes) -> None:
    content = head + bytes(40 * MIB)
    url = server.put("/m.gguf", content)
    with pytest.raises(GgufError) as caught:
        remote(url, len(content))
    assert caught.value.message.startswith(url) and len(server.asked) == 1 and server.sent <= MIB


def test_a_header_that_never_ends_is_left_at_the_bound(server: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HEADER", 4 * MIB)
    content = file([ARCHITECTURE, pair("a", STRING, struct.pack("<Q", 30 * MIB))]) + bytes(40 * MIB)
    with pytest.raises(GgufError):
        remote(server.put("/m.gguf", content), len(content))
    assert server.sent <= 4 * MIB


def test_a_file_that_is_shorter_than_announced_is_a_network_error(server: Origin, tiny_chat: Path) -> None:
    url = server.put("/m.gguf", tiny_chat.read_bytes()[:1000])
    with pytest.raises(NetworkError, match="ended after 1000 of 1048576 bytes"):
        remote(url, 5 * MIB)
