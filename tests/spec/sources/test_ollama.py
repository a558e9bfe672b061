from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.digest import Digest
from pipeline.core.errors import AssayError, DigestMismatch, NetworkError, UsageError
from pipeline.core.project import Project
from pipeline.spec.sources import ollama
from pipeline.spec.sources._base import Resolved
from pipeline.spec.sources.ollama import Stored
from tests.hubs.ollama import CONFIG, Hub, blob_file, make_store
from tests.hubs.ollama import ollama as run_hub
from tests.projects import assay, edit, flip

NOWHERE = Path("/nowhere")
HEX = "0123456789abcdef" * 4
GGUF = b"GGUF" + bytes(range(256)) * 40
APACHE = b"\n                                 Apache License\n                           Version 2.0, January 2004\n"
LAYERS = [
    ("license", APACHE),
    ("template", b"{{ .Prompt }}"),
    ("model", GGUF),
    ("params", b'{"stop": ["<|im_end|>"]}'),
    ("system", b"Be brief."),
    ("projector", b"GGUF seeing"),
    ("adapter", b"GGUF one"),
    ("adapter", b"GGUF two"),
    ("messages", b"[]"),
    ("license", b"And be kind."),
]


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with run_hub() as running:
        yield running


@pytest.fixture(autouse=True)
def store(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty local store, and a hub that was asked for nothing."""
    for server in (hub.registry, hub.storage):
        server.answers.clear()
        server.asked.clear()
        server.shown.clear()
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def resolve(reference: str, before: datetime | None = None) -> Resolved:
    return ollama.resolve(reference, folder=NOWHERE, root=NOWHERE, before=before)


def read(url: str, start: int = 0, end: int | None = None) -> bytes:
    with ollama.open(url, root=NOWHERE).read(start, end) as stream:
        return b"".join(stream.chunks)


def test_a_model_is_locked_with_all_that_belongs_to_it(hub: Hub) -> None:
    digest = hub.publish("library/tiny", LAYERS, "0.6b")
    found = resolve(f"ollama://{hub.host}/library/tiny:0.6b")
    assert found.reference == f"ollama://{hub.host}/library/tiny@{digest}"
    assert [(blob.role, blob.path) for blob in found.blobs] == [
        ("weights", "tiny-0.6b.gguf"),
        ("license", "license"),
        ("template", "template"),
        ("params", "params.json"),
        ("system", "system"),
        ("mmproj", "mmproj.gguf"),
        ("lora", "lora.gguf"),
        ("lora", "lora.2.gguf"),
        ("messages", "messages.json"),
        ("license", "license.2"),
        ("config", "config.json"),
    ]
    assert (found.blob.size, found.blob.digest) == (len(GGUF), Digest.of(GGUF))
    assert found.blob.url == f"ollama://{hub.host}/library/tiny@{Digest.of(GGUF)}"
    assert (found.license, found.license_from, found.rule) == ("apache-2.0", "ollama:license layer", "")
    assert {Digest.of(read(blob.url)) for blob in found.blobs} == {blob.digest for blob in found.blobs}


def test_locking_transfers_the_manifest_and_the_licence_alone(hub: Hub) -> None:
    hub.publish("library/tiny", LAYERS)
    resolve(f"ollama://{hub.host}/library/tiny")
    assert [path for path, _ in hub.storage.asked] == [f"/data/{Digest.of(APACHE)}?signed=yes"]


def test_a_range_is_read_from_the_storage(hub: Hub) -> None:
    hub.publish("library/tiny", LAYERS)
    remote = ollama.open(f"ollama://{hub.host}/library/tiny@{Digest.of(GGUF)}", root=NOWHERE)
    for start, end in ((4, 9), (100, 200)):
        with remote.read(start, end) as stream:
            assert (stream.start, stream.size, b"".join(stream.chunks)) == (start, len(GGUF), GGUF[start:end])
    assert [extent for _, extent in hub.storage.asked] == ["bytes=4-8", "bytes=100-199"]
    assert len(hub.registry.asked) == 1  # where it led is remembered


@pytest.mark.parametrize(
    ("text", "license"),
    [
        (b"MIT License\n\nCopyright", "mit"),
        (b"The MIT License (MIT)", "mit"),
        (APACHE, "apache-2.0"),
        (b"Apache License\nVersion 1.1", None),
        (b"LLAMA 3 COMMUNITY LICENSE AGREEMENT", None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
)
def test_a_licence_is_known_by_how_it_begins(hub: Hub, text: bytes, license: str | None) -> None:
    hub.publish("library/tiny", [("model", GGUF), ("license", text)])
    found = resolve(f"ollama://{hub.host}/library/tiny")
    assert (found.license, found.license_from) == (license, "ollama:license layer" if license else "")


def test_a_licence_that_is_another_text_is_refused(hub: Hub) -> None:
    hub.publish("library/tiny", LAYERS)
    hub.blob("library/tiny", APACHE, instead=b"MIT License")
    with pytest.raises(DigestMismatch, match=f"asked for {Digest.of(APACHE)}"):
        resolve(f"ollama://{hub.host}/library/tiny")


def test_a_licence_of_a_size_that_no_text_has_is_not_read(hub: Hub) -> None:
    hub.publish("library/tiny", [("model", GGUF), ("license", b"MIT License" + bytes(1 << 20))])
    assert resolve(f"ollama://{hub.host}/library/tiny").license is None
    assert hub.storage.asked == []


def test_layers_of_other_kinds_are_left_out_and_told(hub: Hub) -> None:
    hub.publish("library/tiny", [("model", GGUF), ("draft", b"GGUF quick"), ("embed", b"-")])
    assert resolve(f"ollama://{hub.host}/library/tiny").rule == "left out: draft, embed"


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([("tensor", b"-"), ("json", b"{}")], "its weights are no GGUF file"),
        ([("license", b"-")], "it has no layer of weights"),
        ([("model", b"a"), ("model", b"b")], "has several files of weights: sha256:"),
    ],
)
def test_what_is_no_single_gguf_model(hub: Hub, layers: list[tuple[str, bytes]], message: str) -> None:
    hub.publish("library/odd", layers)
    with pytest.raises(UsageError, match=message):
        resolve(f"ollama://{hub.host}/library/odd")


def test_what_the_registry_refuses(hub: Hub) -> None:
    unknown = b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}'
    hub.registry.put("/v2/library/tiny/manifests/nope", unknown, status=404)
    with pytest.raises(NetworkError, match="tiny:nope: there is no such tag or digest"):
        resolve(f"ollama://{hub.host}/library/tiny:nope")
    challenge = {"WWW-Authenticate": f'Bearer realm="http://{hub.storage.host}/token",service="x",scope="y"'}
    hub.registry.put("/v2/me/secret/manifests/latest", b"", status=401, headers=dict(challenge))
    with pytest.raises(NetworkError, match=r"me/secret:latest: the registry refuses access \(401\)") as caught:
        resolve(f"ollama://{hub.host}/me/secret")
    assert "signing in with a key of Ollama is not supported" in caught.value.hint
    with pytest.raises(NetworkError, match="the registry does not have it"):
        read(f"ollama://{hub.host}/library/tiny@sha256:{HEX}")
    assert hub.storage.asked == []


def test_when_a_tag_was_pushed_is_asked_only_where_it_matters(hub: Hub) -> None:
    hub.publish("library/tiny", LAYERS, pushed=1735689600)  # 2025
    reference = f"ollama://{hub.host}/library/tiny"
    assert resolve(reference).published is None
    assert resolve(reference, datetime(2025, 2, 1, tzinfo=UTC)).published == datetime(2025, 1, 1, tzinfo=UTC)
    with pytest.raises(UsageError, match="appeared 2025-01-01 00:00 UTC"):
        resolve(reference, datetime(2024, 2, 1, tzinfo=UTC))
    hub.publish("library/tiny", LAYERS)
    with pytest.raises(UsageError, match="has no date that its origin tells"):
        resolve(reference, datetime(2025, 2, 1, tzinfo=UTC))
    hub.registry.heads["/v2/library/tiny/manifests/latest"]["ollama-content-digest"] = HEX
    with pytest.raises(NetworkError, match="has moved just now"):
        resolve(reference, datetime(2025, 2, 1, tzinfo=UTC))


def test_what_the_local_store_has_is_not_asked_for(hub: Hub, store: Path) -> None:
    hub.publish("library/tiny", LAYERS)
    make_store(store, "registry.ollama.ai/library/other/latest", LAYERS[2:3])
    remote = ollama.open(f"ollama://{hub.host}/library/tiny@{Digest.of(GGUF)}", root=NOWHERE)
    assert isinstance(remote, Stored) and remote.path == blob_file(store, GGUF)
    assert read(f"ollama://{hub.host}/library/tiny@{Digest.of(CONFIG)}", 1, 5) == CONFIG[1:5]
    assert hub.registry.asked == []
    assert read(f"ollama://{hub.host}/library/tiny@{Digest.of(b'[]')}") == b"[]"
    assert hub.registry.asked != []


def test_what_rotted_in_the_local_store_is_asked_for(hub: Hub, store: Path) -> None:
    hub.publish("library/tiny", LAYERS)
    make_store(store, "registry.ollama.ai/library/tiny/latest", LAYERS)
    blob_file(store, GGUF).write_bytes(b"!" + GGUF[1:])
    remote = ollama.open(f"ollama://{hub.host}/library/tiny@{Digest.of(GGUF)}", root=NOWHERE)
    assert isinstance(remote, Stored) and remote.path is None
    with remote.read(0, 4) as stream:
        assert b"".join(stream.chunks) == b"GGUF"
    assert len(hub.storage.asked) == 1


def test_a_project_is_fetched_though_the_local_store_rotted(
    hub: Hub, store: Path, project: Project, tiny_chat: Path
) -> None:
    layers = [("model", tiny_chat.read_bytes()), ("template", b"{{ .Prompt }}"), ("params", b"{}")]
    hub.publish("library/tiny", layers)
    make_store(store, "registry.ollama.ai/library/tiny/latest", layers)
    edit(project.specs / "small.yaml", "file:../models/small.gguf", f"ollama://{hub.host}/library/tiny")
    code, out, err = assay("lock", "small", project=project)
    assert (code, hub.storage.asked) == (0, []), err
    flip(blob_file(store, layers[0][1]))
    code, out, err = assay("fetch", "small", project=project)
    assert code == 0, err
    assert str(Digest.of(layers[0][1])) in out and hub.storage.asked
    code, out, err = assay("verify", "small", "--deep", project=project)
    assert code == 0 and out.count("ok  sha256:") == 4, out


def test_a_model_of_the_local_store_alone(hub: Hub, store: Path) -> None:
    digest = make_store(store, "registry.ollama.ai/library/mine/v1", LAYERS)
    found = resolve("ollama+local://mine:v1", datetime(2000, 1, 1, tzinfo=UTC))
    assert found.reference == f"ollama+local://registry.ollama.ai/library/mine@{digest}"
    assert (found.blobs[0].path, found.license) == ("mine-v1.gguf", "apache-2.0")
    assert read(found.blob.url) == GGUF
    assert hub.registry.asked == []
    blob_file(store, GGUF).write_bytes(GGUF[:-1])
    with pytest.raises(UsageError, match=rf"{Digest.of(GGUF).hex} is missing or has not {len(GGUF)} bytes"):
        resolve("ollama+local://mine:v1")
    blob_file(store, GGUF).unlink()
    with pytest.raises(UsageError, match="no readable file") as caught:
        ollama.open(found.blob.url, root=NOWHERE)
    assert "$OLLAMA_MODELS" in caught.value.hint
    with pytest.raises(UsageError, match=r"can't read .*v2: No such file") as caught:
        resolve("ollama+local://mine:v2")
    assert "ollama list" in caught.value.hint


def test_a_local_manifest_without_end(store: Path) -> None:
    make_store(store, "registry.ollama.ai/library/mine/latest", LAYERS)
    (store / "manifests/registry.ollama.ai/library/mine/latest").write_bytes(b" " * (5 << 20))
    with pytest.raises(UsageError, match="is larger than 4 MiB"):
        resolve("ollama+local://mine")


def test_a_local_licence_is_hashed_too(store: Path) -> None:
    make_store(store, "registry.ollama.ai/library/mine/latest", LAYERS)
    blob_file(store, APACHE).write_bytes(APACHE.replace(b"2.0", b"2.1"))
    with pytest.raises(DigestMismatch):
        resolve("ollama+local://mine")


def test_the_store_is_in_the_home_folder_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_MODELS")
    monkeypatch.setenv("HOME", str(tmp_path))
    make_store(tmp_path / ".ollama" / "models", "registry.ollama.ai/library/mine/latest", LAYERS)
    assert read(resolve("ollama+local://mine").blob.url) == GGUF


@pytest.mark.parametrize(
    ("reference", "base", "tag"),
    [
        ("ollama://qwen3:0.6b", "ollama://registry.ollama.ai/library/qwen3", "0.6b"),
        ("ollama://Qwen3", "ollama://registry.ollama.ai/library/Qwen3", "latest"),
        ("ollama://me/mine", "ollama://registry.ollama.ai/me/mine", "latest"),
        ("ollama://h.org:1/me/mine:x", "ollama://h.org:1/me/mine", "x"),
        ("ollama+local://mine", "ollama+local://registry.ollama.ai/library/mine", "latest"),
        ("ollama+local://hf.co/me/mine:Q4_K_M", "ollama+local://hf.co/me/mine", "Q4_K_M"),
    ],
)
def test_references(reference: str, base: str, tag: str) -> None:
    ollama.check(reference)
    place = ollama._place(reference)
    assert (place.base, place.tag) == (base, tag)


@pytest.mark.parametrize(
    "reference",
    [
        "ollama:qwen3",
        "ollama://",
        "ollama:///qwen3",
        "ollama://qwen3:",
        "ollama://a/b/c/d",
        "ollama://h.org/n.s/m",
        "ollama://../x",
        "ollama://x/..",
        "ollama://x/.m",
        "ollama://x:../..",
        "ollama+local://../../x",
        "ollama+local://h.org/n/m:..",
        "ollama+local://../n/m",
        "ollama://h..org/n/m",
        "ollama://h.org:99999/n/m",
        "ollama://me:hunter2@h.org/n/m",
        "ollama://m?x",
        "ollama://m#x",
        "ollama://m%2e",
        "ollama://m\n",
        "ollama://m\\x",
        "ollama://" + "m" * 81,
        f"ollama://m@sha256:{HEX}",
        f"ollama://m:x@sha256:{HEX}",
        "ollama://m@sha256:../x",
        "ollama://hf.co/org/repo:Q4_K_M",
        "ollama://huggingface.co/org/repo",
    ],
)
def test_what_is_no_reference(reference: str) -> None:
    with pytest.raises(UsageError) as caught:
        ollama.check(reference)
    assert caught.value.hint and "hunter2" not in caught.value.message


def test_a_model_of_hugging_face_is_named_as_such() -> None:
    with pytest.raises(UsageError) as caught:
        ollama.check("ollama://hf.co/org/repo:Q4_K_M")
    assert caught.value.hint == "write hf://org/repo:Q4_K_M, which pins the commit"


@given(st.sampled_from(ollama.SCHEMES), st.text(alphabet="ab/.:@-_[]%?# \\\0\nA1é", max_size=40))
def test_any_text_is_taken_or_refused(scheme: str, text: str) -> None:
    try:
        ollama.check(f"{scheme}://{text}")
    except AssayError as error:
        assert isinstance(error, UsageError) and error.hint
    else:
        place = ollama._place(f"{scheme}://{text}")
        parts = (place.host, place.namespace, place.model, place.tag)
        assert all(part and part[0] != "." and not set(part) & set("/@?# \\\0\n%") for part in parts)


def test_only_a_files_digest_can_be_opened() -> None:
    with pytest.raises(UsageError, match="is not pinned to a file's digest"):
        ollama.open("ollama://qwen3:0.6b", root=NOWHERE)
