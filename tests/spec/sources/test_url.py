from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import NetworkError, UsageError
from pipeline.spec.sources import url as source
from pipeline.spec.sources._base import Resolved
from tests.origin import Origin, origin
from tests.projects import until

CONTENT = bytes(range(256)) * 2000
ROOT = Path("/nowhere")


@pytest.fixture(scope="module")
def server() -> Iterator[Origin]:
    with origin() as running:
        yield running


@pytest.fixture(autouse=True)
def forgets(server: Origin) -> None:
    server.answers.clear()
    server.asked.clear()
    server.sent = 0


def read(url: str, **extent: int) -> tuple[int, int | None, bytes]:
    with source.open(url, root=ROOT).read(**extent) as stream:
        return stream.start, stream.size, b"".join(stream.chunks)


def resolve(reference: str) -> Resolved:
    return source.resolve(reference, folder=ROOT, root=ROOT)


def test_a_file_is_resolved_by_its_first_byte(server: Origin) -> None:
    url = server.put("/models/my%20model.gguf?download=true", CONTENT)
    found = resolve(url)
    assert found.reference == found.blob.url == url
    assert (found.blob.path, found.blob.size, found.blob.digest) == ("my model.gguf", len(CONTENT), None)
    assert server.asked == [("/models/my%20model.gguf?download=true", "bytes=0-0")]
    until(lambda: server.sent == 1)  # it counts after sending


def test_an_origin_without_ranges_is_not_read_further_than_needed(server: Origin) -> None:
    big = bytes(64 << 20)
    assert resolve(server.put("/big.gguf", big, ranges=False)).blob.size == len(big)
    assert server.sent < len(big) // 2


def test_a_size_that_nobody_says_is_an_error(server: Origin) -> None:
    url = server.put("/x.gguf", CONTENT, ranges=False, headers={"Content-Length": None})
    with pytest.raises(NetworkError, match="does not say how large"):
        resolve(url)
    assert read(url) == (0, None, CONTENT)


@pytest.mark.parametrize(
    "reference", ["https://example.org", "https://example.org/", "https://example.org/..", "https://example.org/a%0ab"]
)
def test_a_url_must_name_a_file(reference: str) -> None:
    with pytest.raises(UsageError, match="names no file"):
        source.check(reference)


def test_a_name_has_no_folder_in_it(server: Origin) -> None:
    assert resolve(server.put("/a%2F..%2Fb.gguf", b"x")).blob.path == "b.gguf"


@pytest.mark.parametrize(
    ("start", "end", "header"),
    [
        (0, None, None),
        (5, None, "bytes=5-"),
        (0, 9, "bytes=0-8"),
        (300, 400_000, "bytes=300-399999"),
        (len(CONTENT) - 1, None, f"bytes={len(CONTENT) - 1}-"),
    ],
)
def test_parts_are_asked_for_and_read(server: Origin, start: int, end: int | None, header: str | None) -> None:
    extent = {"start": start} if end is None else {"start": start, "end": end}
    assert read(server.put("/x", CONTENT), **extent) == (start, len(CONTENT), CONTENT[start:end])
    assert server.asked == [("/x", header)]


def test_an_origin_that_ignores_the_range_is_read_from_the_start(server: Origin) -> None:
    assert read(server.put("/x", CONTENT, ranges=False), start=100) == (0, len(CONTENT), CONTENT)


def test_redirects_keep_the_range(server: Origin) -> None:
    server.put("/end", CONTENT)
    url = server.put("/x", status=302, headers={"Location": "/end"})
    assert read(url, start=10, end=20) == (10, len(CONTENT), CONTENT[10:20])
    assert server.asked == [("/x", "bytes=10-19"), ("/end", "bytes=10-19")]


@pytest.mark.parametrize(
    "said",
    [
        "bytes 0-99/512000",
        "bytes 11-99/512000",
        "bytes 10-9/512000",
        "bytes 10-5/*",
        "bytes */512000",
        "items 10-99/512000",
        "bytes 10-99",
        "bytes ten-99/512000",
        "bytes 10-99/-1",
        "bytes 10-99/" + "9" * 5000,
        "",
        None,
    ],
)
def test_a_wrong_content_range_is_refused(server: Origin, said: str | None) -> None:
    url = server.put("/x", CONTENT, headers={"Content-Range": said})
    with pytest.raises(NetworkError, match="asked for bytes from 10"):
        read(url, start=10)


def test_a_range_of_unknown_total_is_taken(server: Origin) -> None:
    url = server.put("/x", CONTENT, headers={"Content-Range": "bytes 10-511999/*"})
    assert read(url, start=10) == (10, None, CONTENT[10:])


@pytest.mark.parametrize("length", ["²", "-5", "x", "9" * 5000])
def test_a_nonsensical_length_is_no_bug(server: Origin, length: str) -> None:
    url = server.put("/x", b"12345", ranges=False, headers={"Content-Length": length})
    with pytest.raises(NetworkError):
        resolve(url)


@pytest.mark.parametrize(
    ("how", "said"), [({"status": 404}, "404"), ({"status": 403}, "403"), ({"status": 500}, "500")]
)
def test_refusals_are_told(server: Origin, how: dict[str, Any], said: str) -> None:
    with pytest.raises(NetworkError, match=said):
        resolve(server.put("/x", CONTENT, **how))


def test_asking_beyond_the_end_says_that_the_file_is_shorter(server: Origin) -> None:
    with pytest.raises(NetworkError, match="416") as caught:
        read(server.put("/x", CONTENT), start=len(CONTENT))
    assert "shorter" in caught.value.hint


def test_compressed_bytes_are_not_the_file(server: Origin) -> None:
    with pytest.raises(NetworkError, match="compressed"):
        read(server.put("/x", CONTENT, headers={"Content-Encoding": "gzip"}))
    assert read(server.put("/x", CONTENT, headers={"Content-Encoding": "identity"}))[2] == CONTENT


def test_a_truncated_body_gives_what_came_and_then_an_error(server: Origin) -> None:
    came = bytearray()
    with (
        pytest.raises(NetworkError, match=r"incomplete|closed"),
        source.open(server.put("/x", CONTENT, cut=300_000), root=ROOT).read() as stream,
    ):
        for chunk in stream.chunks:
            came += chunk
    assert 0 < len(came) <= 300_000 and CONTENT.startswith(came)


def test_a_slow_origin_is_waited_for(server: Origin) -> None:
    assert read(server.put("/x", CONTENT[:100_000], pause=0.05)) == (0, 100_000, CONTENT[:100_000])
