"""Against Debian's docker-registry, pushed to over its own API and by skopeo."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.digest import Digest
from pipeline.core.errors import AssayError, DigestMismatch, NetworkError, UsageError
from pipeline.spec.sources import oci
from pipeline.spec.sources._base import Resolved
from tests.hubs.registry import INDEX, MANIFEST, Artifact, Layer, Registry, registry

NOWHERE = Path("/nowhere")
HEX = "0123456789abcdef" * 4
GGUF = b"GGUF" + bytes(range(256)) * 40
DOCKER, CNCF = "application/vnd.docker.ai.", "application/vnd.cncf.model."
TITLE, PATH = "org.opencontainers.image.title", "org.cncf.model.filepath"
DOCKER_CONFIG = Layer(
    f"{DOCKER}model.config.v0.1+json",
    b'{"config": {"format": "gguf"}, "descriptor": {"created": "2025-04-01T10:00:00.123456789Z"}}',
)
PACK_CONFIG = Layer(
    f"{CNCF}config.v1+json",
    b'{"descriptor": {"createdAt": "2025-05-01T00:00:00Z", "licenses": ["Apache-2.0", "MIT"]}, "config": {}}',
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(autouse=True)
def no_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    oci._repository.cache_clear()


def resolve(reference: str, before: datetime | None = None) -> Resolved:
    return oci.resolve(reference, folder=NOWHERE, root=NOWHERE, before=before)


def read(url: str, start: int = 0, end: int | None = None) -> bytes:
    with oci.open(url, root=NOWHERE).read(start, end) as stream:
        assert stream.start == start
        return b"".join(stream.chunks)


def named(name: str, content: bytes = GGUF, kind: str = "application/octet-stream", key: str = TITLE) -> Layer:
    return Layer(kind, content, {key: name})


def files(found: Resolved) -> list[tuple[str, str]]:
    return [(blob.role, blob.path) for blob in found.blobs]


@pytest.mark.parametrize(("projector", "lora"), [("mmproj", "lora"), ("gguf.v3.mmproj", "gguf.v3.lora")])
def test_a_model_of_docker_in_both_spellings(hub: Registry, projector: str, lora: str) -> None:
    artifact = Artifact(
        [
            Layer(f"{DOCKER}license", b"Do as you like."),
            Layer(f"{DOCKER}gguf.v3", GGUF),
            Layer(f"{DOCKER}{projector}", b"GGUF seeing"),
            Layer(f"{DOCKER}{lora}", b"GGUF adapting"),
            Layer(f"{DOCKER}chat.template.jinja", b"{{ messages }}"),
            Layer(f"{DOCKER}license", b"Or not."),
        ],
        DOCKER_CONFIG,
        {"annotations": {"org.opencontainers.image.licenses": "MIT"}},
    )
    digest = hub.push("ai/smol", artifact, "1.0")
    found = resolve(f"oci://{hub.host}/ai/smol:1.0")
    assert found.reference == f"oci://{hub.host}/ai/smol@{digest}"
    assert files(found) == [
        ("weights", "model.gguf"),
        ("mmproj", "mmproj.gguf"),
        ("lora", "lora.gguf"),
        ("chat_template", "chat_template.jinja"),
        ("license", "LICENSE"),
        ("license", "LICENSE-2"),
    ]
    assert (found.blob.size, found.blob.digest) == (len(GGUF), Digest.of(GGUF))
    assert found.blob.url == f"oci://{hub.host}/ai/smol@{Digest.of(GGUF)}"
    assert (found.license, found.license_from) == ("mit", "oci:annotations.org.opencontainers.image.licenses")
    assert found.published == datetime(2025, 4, 1, 10, 0, 0, 123456, UTC)
    assert [Digest.of(read(blob.url)) for blob in found.blobs] == [blob.digest for blob in found.blobs]
    assert read(found.blob.url, 4, 9) == GGUF[4:9]
    assert read(found.blob.url, 4) == GGUF[4:]
    assert resolve(found.reference) == found


def test_a_model_of_docker_with_a_name_for_each_file(hub: Registry) -> None:
    listed = [
        named("model/b-00002-of-00002.gguf", b"two", f"{DOCKER}gguf.v3", PATH),
        named("model/b-00001-of-00002.gguf", b"one", f"{DOCKER}gguf.v3", PATH),
        named("model/mmproj-F16.gguf", b"seeing", f"{DOCKER}gguf.v3", PATH),
        named("README.md", b"Read me.", f"{DOCKER}model.file", PATH),
        named("LICENSE.txt", b"Do as you like.", f"{DOCKER}model.file", PATH),
        named("a/LICENSE.txt", b"Or not.", f"{DOCKER}model.file", PATH),
        named("docs.tar", b"-", f"{DOCKER}dir.tar", PATH),
    ]
    hub.push("ai/files", Artifact(listed, Layer(f"{DOCKER}model.config.v0.2+json", b"{}")), "1")
    assert files(resolve(f"oci://{hub.host}/ai/files:1")) == [
        ("weights", "b-00001-of-00002.gguf"),
        ("shard", "b-00002-of-00002.gguf"),
        ("mmproj", "mmproj-F16.gguf"),
        ("license", "LICENSE.txt"),
        ("license", "LICENSE-2.txt"),
    ]


def test_a_model_that_skopeo_pushed(hub: Registry, tmp_path: Path) -> None:
    if not shutil.which("skopeo"):
        pytest.skip("skopeo is not installed: NOTHING is known about real clients. Debian: apt install skopeo")
    artifact = Artifact([Layer(f"{DOCKER}gguf.v3", GGUF)], DOCKER_CONFIG)
    target = f"{hub.host}/from/skopeo:2"
    argv = ["skopeo", "copy", "--preserve-digests", "--dest-tls-verify=false"]
    argv += [f"oci:{artifact.layout(tmp_path / 'layout')}:latest", f"docker://{target}"]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    found = resolve(f"oci://{target}")
    assert found.reference.endswith(f"@{artifact.digest}")
    assert read(found.blob.url) == GGUF


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (f"{CNCF}weight.v1.raw", PATH),
        (f"{CNCF}weight.v1.gguf", PATH),
        ("application/vnd.cnai.model.weight.v1.raw", "org.cnai.model.filepath"),
    ],
)
def test_a_model_of_modelpack(hub: Registry, kind: str, key: str) -> None:
    artifact = Artifact(
        [
            named("README.md", b"Read me.", f"{CNCF}doc.v1.raw", PATH),
            named("LICENSE", b"Do as you like.", f"{CNCF}doc.v1.raw", PATH),
            named("chat_template.jinja", b"{{ messages }}", f"{CNCF}weight.config.v1.raw", PATH),
            named("train.tar", b"x", f"{CNCF}code.v1.tar", PATH),
            named("weights/tiny-q8_0.gguf", GGUF, kind, key),
        ],
        PACK_CONFIG,
        {"artifactType": f"{CNCF}manifest.v1+json"},
    )
    hub.push("pack/tiny", artifact, "latest")
    found = resolve(f"oci://{hub.host}/pack/tiny")
    names = [("weights", "tiny-q8_0.gguf"), ("chat_template", "chat_template.jinja"), ("license", "LICENSE")]
    assert files(found) == names
    assert (found.license, found.license_from) == ("apache-2.0", "oci:config.descriptor.licenses")
    assert found.published == datetime(2025, 5, 1, tzinfo=UTC)


def test_a_plain_artifact_with_titles(hub: Registry) -> None:
    listed = [named("mmproj-f16.gguf", b"GGUF seeing"), named("x.gguf"), named("notes.txt", b"-"), named("mmproj.gguf")]
    hub.push("plain", Artifact(listed), "1")
    found = resolve(f"oci://{hub.host}/plain:1")
    assert files(found) == [("weights", "x.gguf"), ("mmproj", "mmproj-f16.gguf")]
    assert found.rule == "of 2 mmproj layers the first, mmproj-f16.gguf"
    assert (found.license, found.published) == (None, None)


def test_a_split_set_is_one_model(hub: Registry) -> None:
    names = [f"big-{number:05d}-of-00003.gguf" for number in (1, 2, 3)]
    listed = [named(name, name.encode()) for name in (names[2], names[0], names[1])]
    hub.push("split", Artifact(listed), "named")
    found = resolve(f"oci://{hub.host}/split:named")
    assert files(found) == list(zip(("weights", "shard", "shard"), names, strict=True))
    assert [read(blob.url).decode() for blob in found.blobs] == names
    hub.push("split", Artifact([Layer(f"{DOCKER}gguf.v3", name.encode()) for name in names], DOCKER_CONFIG), "unnamed")
    found = resolve(f"oci://{hub.host}/split:unnamed")
    assert files(found)[1] == ("shard", "model-00002-of-00003.gguf")
    assert [read(blob.url).decode() for blob in found.blobs] == names
    assert found.rule == "3 GGUF layers without names are a split set in their order"


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([named("a.gguf", b"a"), named("b.gguf", b"b")], "holds several models: a.gguf, b.gguf"),
        ([named("a-00001-of-00002.gguf", b"a"), named("b.gguf", b"b")], "several models: a-00001-of-00002.gguf, b"),
        ([named("a-00002-of-00003.gguf", b"a"), named("a-00003-of-00003.gguf", b"b")], "holds several models"),
        ([named("a-00001-of-00002.gguf")], "of 2 files of a split set only a-00001-of-00002.gguf is there"),
        ([named("a.gguf", b"a"), Layer(f"{DOCKER}gguf.v3", b"b")], "holds several models: a.gguf"),
        ([named("LICENSE", b"-")], "holds no GGUF file; its layers are: application/octet-stream"),
        ([Layer(f"{DOCKER}safetensors", b"-")], "holds no GGUF file; its layers are: .*safetensors"),
        ([named("m.gguf", kind=f"{CNCF}weight.v1.tar")], r"packed .*weight.v1.tar\); its digest is not the file's"),
        ([named("m.gguf", kind=f"{CNCF}weight.v1.tar+gzip")], "its digest is not the file's"),
        ([Layer("application/vnd.kitops.modelkit.model.v1.tar+gzip", b"-")], "its digest is not the file's"),
        ([named("m.gguf", kind="application/vnd.oci.image.layer.v1.tar+gzip")], "its digest is not the file's"),
        ([named("../../m.gguf")], "a layer is called '../../m.gguf'"),
        ([named("/etc/m.gguf")], "a layer is called"),
        ([named("a\\b.gguf")], "a layer is called"),
        ([named("C:m.gguf")], "a layer is called"),
        ([named("m\n.gguf")], "a layer is called"),
        ([named("m\0.gguf")], "a layer is called"),
        ([named("m" * 300 + ".gguf")], "a layer is called"),
        ([named("A-00001-of-00002.gguf", b"1"), named("a-00001-of-00002.gguf", b"2")], "holds several models"),
    ],
)
def test_what_is_no_single_model_is_refused_with_what_is_there(
    hub: Registry, layers: list[Layer], message: str
) -> None:
    hub.push("odd", Artifact(layers), "1")
    with pytest.raises(UsageError, match=message):
        resolve(f"oci://{hub.host}/odd:1")


def test_a_container_image_is_no_model(hub: Registry) -> None:
    layer = Layer("application/vnd.oci.image.layer.v1.tar+gzip", b"-")
    hub.push("image", Artifact([layer], Layer("application/vnd.oci.image.config.v1+json", b"{}")), "1")
    with pytest.raises(UsageError, match="is a container image, not a model"):
        resolve(f"oci://{hub.host}/image:1")


def index(*parts: tuple[Artifact, dict[str, Any]]) -> bytes:
    listed = [{"mediaType": MANIFEST, "digest": a.digest, "size": len(a.manifest), **more} for a, more in parts]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).encode()


def test_an_index_leads_to_its_one_model(hub: Registry) -> None:
    model = Artifact([named("tiny.gguf")])
    tensors = Artifact([Layer(f"{DOCKER}safetensors", b"-")])
    other = Artifact([named("tiny-q4.gguf", b"GGUF other")])
    noted = {"vnd.docker.reference.type": "attestation-manifest"}
    for artifact in (model, tensors, other):
        hub.push("many", artifact)
    one = index((model, {}), (tensors, {}), (other, {"annotations": noted}))
    hub.put("many", one, INDEX, "one")
    found = resolve(f"oci://{hub.host}/many:one")
    assert found.reference == f"oci://{hub.host}/many@{model.digest}"
    assert found.rule == "the one model of an index of 3"
    assert resolve(f"oci://{hub.host}/many@{Digest.of(one)}") == found

    arm = {"platform": {"os": "linux", "architecture": "arm64"}}
    hub.put("many", index((model, {}), (other, arm)), INDEX, "two")
    with pytest.raises(UsageError, match=rf"several models: {model.digest}, {other.digest} \(linux/arm64\)") as caught:
        resolve(f"oci://{hub.host}/many:two")
    assert caught.value.hint == "name one of them by @sha256:…"
    hub.put("many", index((tensors, {})), INDEX, "none")
    with pytest.raises(UsageError, match="holds no GGUF file"):
        resolve(f"oci://{hub.host}/many:none")
    hub.put("many", index(), INDEX, "empty")
    with pytest.raises(UsageError, match="an index without a model"):
        resolve(f"oci://{hub.host}/many:empty")


def test_a_long_index_is_not_searched(hub: Registry) -> None:
    model = Artifact([named("tiny.gguf")])
    hub.push("long", model)
    hub.put("long", index(*[(model, {})] * 17), INDEX, "1")
    with pytest.raises(UsageError, match="is an index of 17 manifests"):
        resolve(f"oci://{hub.host}/long:1")


def test_files_whose_names_differ_by_case_alone(hub: Registry) -> None:
    listed = [named("x.gguf"), named("LICENSE", b"one"), named("license", b"two"), named("License-2", b"three")]
    hub.push("cases", Artifact(listed), "1")
    assert [blob.path for blob in resolve(f"oci://{hub.host}/cases:1").blobs] == [
        "x.gguf",
        "LICENSE",
        "license-2",
        "License-2-2",
    ]


def test_a_digest_beats_the_tag_beside_it(hub: Registry) -> None:
    old, new = Artifact([named("old.gguf", b"old")]), Artifact([named("new.gguf", b"new")])
    hub.push("moved", old, "1")
    hub.push("moved", new, "1")
    assert resolve(f"oci://{hub.host}/moved:1@{old.digest}").blob.path == "old.gguf"
    assert resolve(f"oci://{hub.host}/moved:1").blob.path == "new.gguf"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/model:1", r"oci://.*/missing/model:1: there is no such (repository|tag or digest)"),
        ("known:2", "there is no such tag or digest"),
        (f"known@sha256:{HEX}", "there is no such tag or digest"),
    ],
)
def test_what_a_registry_does_not_have(hub: Registry, name: str, message: str) -> None:
    hub.push("known", Artifact([named("x.gguf")]), "1")
    with pytest.raises(NetworkError, match=message) as caught:
        resolve(f"oci://{hub.host}/{name}")
    assert caught.value.hint and not caught.value.transient


def test_a_blob_that_is_gone(hub: Registry) -> None:
    with pytest.raises(NetworkError, match=f"{HEX}: the registry has the manifest, but lost this file"):
        read(f"oci://{hub.host}/known@sha256:{HEX}")


def test_a_config_whose_bytes_rotted(hub: Registry) -> None:
    config = Layer(PACK_CONFIG.media_type, PACK_CONFIG.content + b" ")
    hub.push("rotten", Artifact([named("x.gguf")], config), "1")
    path = hub.blob_file(config.digest)
    path.write_bytes(b"!" + path.read_bytes()[1:])
    with pytest.raises(DigestMismatch, match=f"asked for {config.digest}, got sha256:"):
        resolve(f"oci://{hub.host}/rotten:1")


def test_what_appeared_too_late_is_refused(hub: Registry) -> None:
    hub.push("dated", Artifact([named("x.gguf")], PACK_CONFIG), "1")
    hub.push("dated", Artifact([named("x.gguf")]), "undated")
    assert resolve(f"oci://{hub.host}/dated:1", before=datetime(2025, 6, 1, tzinfo=UTC)).published
    with pytest.raises(UsageError, match="appeared 2025-05-01"):
        resolve(f"oci://{hub.host}/dated:1", before=datetime(2025, 4, 1, tzinfo=UTC))
    with pytest.raises(UsageError, match="has no date that its origin tells"):
        resolve(f"oci://{hub.host}/dated:undated", before=datetime(2025, 4, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("reference", "host", "name"),
    [
        ("oci://registry.example.org/models/tiny:1.0", "registry.example.org", "models/tiny"),
        ("oci://Registry.Example.org:5000/tiny", "registry.example.org:5000", "tiny"),
        ("oci://[::1]:5000/a__b/c-d.e:x", "[::1]:5000", "a__b/c-d.e"),
        (f"oci://h.org/a:t@sha256:{HEX}", "h.org", "a"),
        ("oci://docker.io/redis", "docker.io", "library/redis"),
        ("oci://registry-1.docker.io/ai/smollm2", "docker.io", "ai/smollm2"),
        ("oci://index.docker.io/ai/smollm2", "docker.io", "ai/smollm2"),
    ],
)
def test_references(reference: str, host: str, name: str) -> None:
    oci.check(reference)
    place = oci._place(reference)
    assert (place.host, place.repository) == (host, name)


def test_docker_hub_is_asked_where_it_answers() -> None:
    assert oci._repository("docker.io", "ai/smollm2").api == "https://registry-1.docker.io/v2/ai/smollm2"
    assert oci._repository("127.0.0.1:5000", "x").api == "http://127.0.0.1:5000/v2/x"


@pytest.mark.parametrize(
    "reference",
    [
        "oci:tiny",
        "oci://tiny",
        "oci:///tiny",
        "oci://h.org/",
        "oci://h.org/Tiny",
        "oci://h.org/a//b",
        "oci://h.org/../b",
        "oci://h.org/a/../b",
        "oci://h.org/a b",
        "oci://h.org/a?b=c",
        "oci://h.org/a#b",
        "oci://h.org/a%2e",
        "oci://h.org/a:",
        "oci://h.org/a:.b",
        "oci://h.org/a:b/c",
        "oci://h.org/" + "a" * 256,
        "oci://user:hunter2@h.org/a",
        "oci://h..org/a",
        "oci://h.org:99999/a",
        "oci://h.org:x/a",
        "oci://[::1/a",
        "oci://h.org/a@",
        "oci://h.org/a@sha256:../../etc/passwd",
        f"oci://h.org/a@sha256:{HEX.upper()}",
        f"oci://h.org/a@sha512:{HEX}{HEX}",
        f"oci://h.org/a@sha256:{HEX}\n",
    ],
)
def test_what_is_no_reference(reference: str) -> None:
    with pytest.raises(UsageError) as caught:
        oci.check(reference)
    assert caught.value.hint and "hunter2" not in caught.value.message


@given(st.text(alphabet="ab/.:@-_[]%?# \\\0\nA1é", max_size=40))
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        oci.check(f"oci://{text}")
    except AssayError as error:
        assert isinstance(error, UsageError) and error.hint
    else:
        place = oci._place(f"oci://{text}")
        api = oci._repository(place.host, place.repository).api
        assert api.endswith(f"/v2/{place.repository}") and ".." not in api and not set(api) & set("@?# \\\0\n")


@pytest.mark.parametrize("url", ["oci://h.org/a", "oci://h.org/a:1", f"oci://h.org/a:1@sha256:{HEX}"])
def test_only_a_files_digest_can_be_opened(url: str) -> None:
    with pytest.raises(UsageError, match="is not pinned to a file's digest"):
        oci.open(url, root=NOWHERE)
