from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, NetworkError, SpecError, UsageError
from pipeline.core.project import Project
from pipeline.gguf.header import GgufError, Header, read_header
from pipeline.lock import resolve as module
from pipeline.lock.resolve import read_remote_header, resolve
from pipeline.spec.load import find_spec, read_spec
from pipeline.spec.sources._base import Blob, Resolved, source_of
from tests.gguf.build import ARCHITECTURE, STRING, file, pair, strings, tensor
from tests.origin import Origin, origin
from tests.projects import edit

MIB = 1 << 20
ROOT = Path("/nowhere")


@pytest.fixture
def server() -> Iterator[Origin]:
    with origin() as running:
        yield running


def never(url: str, size: int) -> Digest:
    raise AssertionError(f"{url} was downloaded")


def remote(url: str, size: int) -> Header:
    return read_remote_header(source_of(url), url, size, ROOT)


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


def test_a_stated_digest_is_taken_and_nothing_is_downloaded(project: Project, server: Origin, tiny_chat: Path) -> None:
    content = tiny_chat.read_bytes()
    digest = Digest.of(content)
    url = server.put("/models/small.gguf", content)
    edit(project.specs / "small.yaml", "source: file:../models/small.gguf", f"source: {url}\nsha256: {digest}")
    path = find_spec(project, "small")
    found = resolve(read_spec(path), path, project, never)
    (weights,) = found.files
    assert (weights.known, weights.digest, weights.urls, weights.size) == ("spec", digest, (url,), len(content))
    assert (found.source.original, found.source.resolved) == (url, url) and server.sent <= MIB + 1


def test_an_unstated_digest_is_learnt_and_marked_so(project: Project) -> None:
    path, asked = find_spec(project, "small"), []
    digest = Digest.of(b"learnt")

    def learn(url: str, size: int) -> Digest:
        asked.append((url, size))
        return digest

    (weights,) = resolve(read_spec(path), path, project, learn).files
    assert (weights.known, weights.digest) == ("computed", digest)
    assert asked == [("file:models/small.gguf", (project.root / "models" / "small.gguf").stat().st_size)]


@pytest.mark.parametrize("agree", [True, False])
def test_a_published_digest_is_taken_and_may_not_contradict_the_spec(
    project: Project, monkeypatch: pytest.MonkeyPatch, agree: bool
) -> None:
    path = find_spec(project, "small")
    published = Digest.of((project.root / "models" / "small.gguf").read_bytes())
    source = source_of("file:x")
    plain = source.resolve

    def publishing(reference: str, *, folder: Path, root: Path) -> Resolved:
        blob = plain(reference, folder=folder, root=root).blob
        return Resolved("some@commit", Blob(blob.path, blob.url, blob.size, published))

    monkeypatch.setattr(source, "resolve", publishing)
    found = resolve(read_spec(path), path, project, never)
    assert (found.files[0].known, found.files[0].digest, found.source.resolved) == (
        "published",
        published,
        "some@commit",
    )
    stated = published if agree else Digest.of(b"other")
    edit(path, "profile: " if "profile" in path.read_text() else "name: small", f"sha256: {stated}\nname: small")
    if agree:
        assert resolve(read_spec(path), path, project, never).files[0].known == "spec"
    else:
        with pytest.raises(DigestMismatch, match=f"the spec says {stated}, the origin publishes {published}"):
            resolve(read_spec(path), path, project, never)


def test_a_template_is_a_file_of_its_own(project: Project) -> None:
    path = find_spec(project, "small")
    (project.root / "models" / "t.jinja").write_text("{{ messages }}")
    path.write_text(path.read_text() + "chat: {template: ../models/t.jinja}\n")
    found = resolve(read_spec(path), path, project, lambda url, size: Digest.of(url.encode()))
    assert [(file.role, file.urls) for file in found.files] == [
        ("weights", ("file:models/small.gguf",)),
        ("chat_template", ("file:models/t.jinja",)),
    ]


def test_what_is_named_and_is_not_there(project: Project) -> None:
    path = find_spec(project, "small")
    edit(path, "evals: [few]", "evals: [fewer]")
    with pytest.raises(UsageError, match=r"no suite 'fewer': evals/fewer/suite\.yaml does not exist") as caught:
        resolve(read_spec(path), path, project, lambda url, size: Digest.of(b""))
    assert caught.value.hint == "there are: few, greeting"
    edit(path, "evals: [fewer]", "evals: [few]")
    edit(project.suites / "few" / "suite.yaml", 'version: "1"', "version: 1")
    with pytest.raises(SpecError, match=r"few/suite\.yaml:2:10: version wants text, not the number 1"):
        resolve(read_spec(path), path, project, lambda url, size: Digest.of(b""))
