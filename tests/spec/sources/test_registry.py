"""What lies, breaks or is hostile: answers that no real registry gives are put on a stand-in."""

from __future__ import annotations

import json
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
from pipeline.spec.sources._registry import api_of, moment, read_manifest
from tests.hubs.registry import MANIFEST, Artifact, Layer
from tests.hubs.watched import Watched, watched

NOWHERE = Path("/nowhere")
HEX = "0123456789abcdef" * 4
GGUF = b"GGUF" + bytes(range(256)) * 40
MODEL = Artifact([Layer("application/vnd.docker.ai.gguf.v3", GGUF)])


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Watched, Watched]]:
    with watched() as registry, watched() as storage:
        yield registry, storage


@pytest.fixture
def hub(servers: tuple[Watched, Watched], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    for server in servers:
        server.answers.clear()
        server.asked.clear()
        server.shown.clear()
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    oci._repository.cache_clear()
    return servers[0]


@pytest.fixture
def storage(servers: tuple[Watched, Watched]) -> Watched:
    return servers[1]


def put(hub: Watched, body: bytes, reference: str = "1", **how: Any) -> None:
    headers = {"Content-Type": MANIFEST, **how.pop("headers", {})}
    hub.put(f"/v2/tiny/manifests/{reference}", body, headers=headers, **how)


def resolve(hub: Watched, rest: str = ":1") -> Resolved:
    return oci.resolve(f"oci://{hub.host}/tiny{rest}", folder=NOWHERE, root=NOWHERE)


def test_a_registry_that_says_no_digest_is_hashed_here(hub: Watched) -> None:
    put(hub, MODEL.manifest)
    assert resolve(hub).reference == f"oci://{hub.host}/tiny@{MODEL.digest}"


def test_a_digest_of_another_kind_is_not_asked(hub: Watched) -> None:
    put(hub, MODEL.manifest, headers={"Docker-Content-Digest": "sha512:00"})
    assert resolve(hub).reference.endswith(MODEL.digest)


def test_a_registry_that_contradicts_itself(hub: Watched) -> None:
    put(hub, MODEL.manifest, headers={"Docker-Content-Digest": f"sha256:{HEX}"})
    with pytest.raises(DigestMismatch, match=f"the registry says sha256:{HEX}, it sent {MODEL.digest}"):
        resolve(hub)


def test_another_manifest_than_the_one_that_was_named(hub: Watched) -> None:
    put(hub, MODEL.manifest, f"sha256:{HEX}", headers={"Docker-Content-Digest": f"sha256:{HEX}"})
    with pytest.raises(DigestMismatch, match=f"asked for sha256:{HEX}, got {MODEL.digest}") as caught:
        resolve(hub, f"@sha256:{HEX}")
    assert caught.value.exit_code == 5


def test_another_manifest_behind_an_index(hub: Watched) -> None:
    listed = [{"mediaType": MANIFEST, "digest": f"sha256:{HEX}", "size": 10}]
    put(hub, json.dumps({"schemaVersion": 2, "manifests": listed}).encode())
    put(hub, MODEL.manifest, f"sha256:{HEX}")
    with pytest.raises(DigestMismatch, match=f"asked for sha256:{HEX}"):
        resolve(hub)


def test_a_manifest_says_its_type_by_the_header_alone(hub: Watched) -> None:
    body = json.loads(MODEL.manifest)
    del body["mediaType"]
    put(hub, json.dumps(body).encode())
    assert resolve(hub).blob.digest == Digest.of(GGUF)


def lie(**change: Any) -> bytes:
    """Return the manifest of a model whose layer says something else."""
    body = json.loads(MODEL.manifest)
    body["layers"][0].update(change)
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "malformed manifest: no JSON"),
        (b"<html>", "malformed manifest: no JSON"),
        (b"\xff\xfe", "malformed manifest: no JSON"),
        (b"[" * 100_000, "malformed manifest: no JSON"),
        (b'{"schemaVersion": ' + b"9" * 5000 + b"}", "malformed manifest: no JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "of schemaVersion None, not 2"),
        (b'{"schemaVersion": 1, "fsLayers": []}', "of schemaVersion 1, not 2"),
        (b'{"schemaVersion": 2}', "without layers"),
        (b'{"schemaVersion": 2, "layers": {}}', "without layers"),
        (b'{"schemaVersion": 2, "manifests": 7}', "without a list of what it holds"),
        (b'{"schemaVersion": 2, "layers": [7]}', "entry 1: malformed manifest: no descriptor"),
        (b'{"schemaVersion": 2, "layers": [], "config": 7}', "config: malformed manifest: no descriptor"),
        (json.dumps({"schemaVersion": 2, "layers": [{}] * 10_001}).encode(), "without a list of what it holds"),
        (lie(size=-1), "size -1 is no size of a file"),
        (lie(size=2**63), f"size {2**63} is no size of a file"),
        (lie(size=10**2000), "size 1000.* is no size of a file"),
        (lie(size=1.5), "size 1.5 is no size"),
        (lie(size="1"), "size 1 is no size"),
        (lie(size=True), "size True is no size"),
        (lie(size=None), "size None is no size"),
        (lie(digest="sha256:../../../../etc/passwd"), "not a digest: 'sha256:../../../../etc/passwd'"),
        (lie(digest=f"sha256:{HEX.upper()}"), "not a digest"),
        (lie(digest=f"sha512:{HEX}{HEX}"), "not a digest"),
        (lie(digest=f"sha256:{HEX}/../{HEX}"), "not a digest"),
        (lie(digest=None), "not a digest"),
        (lie(digest=[]), "not a digest"),
    ],
)
def test_what_is_no_manifest(hub: Watched, body: bytes, message: str) -> None:
    put(hub, body)
    with pytest.raises(NetworkError, match=message) as caught:
        resolve(hub)
    assert caught.value.hint and len(caught.value.message) < 600


def test_a_manifest_without_end_is_not_read_to_its_end(hub: Watched) -> None:
    put(hub, b" " * (32 << 20))
    with pytest.raises(NetworkError, match="the answer is longer than 4 MiB"):
        resolve(hub)
    assert hub.sent < 24 << 20


def test_strange_types_of_unimportant_things_do_no_harm(hub: Watched) -> None:
    config = Layer("application/vnd.cncf.model.config.v1+json", b'{"descriptor": {"licenses": {}, "createdAt": 7}}')
    body = json.loads(Artifact(MODEL.layers, config).manifest)
    body["annotations"] = {"org.opencontainers.image.licenses": 7, "org.opencontainers.image.created": "yesterday"}
    body["layers"][0]["annotations"] = ["x"]
    put(hub, json.dumps(body).encode())
    hub.put(f"/v2/tiny/blobs/{config.digest}", config.content)
    found = resolve(hub)
    assert (found.license, found.published, found.blob.path) == (None, None, "model.gguf")


@pytest.mark.parametrize(("content", "message"), [(b"no", "its config is no JSON"), (b"[]", "")])
def test_a_config_that_is_none(hub: Watched, content: bytes, message: str) -> None:
    config = Layer("application/vnd.docker.ai.model.config.v0.2+json", content)
    put(hub, Artifact(MODEL.layers, config).manifest)
    hub.put(f"/v2/tiny/blobs/{config.digest}", content)
    if message:
        with pytest.raises(UsageError, match=message):
            resolve(hub)
    else:
        assert resolve(hub).license is None


def test_a_config_that_is_too_large_is_not_asked_for(hub: Watched) -> None:
    body = json.loads(Artifact(MODEL.layers, Layer("application/vnd.cncf.model.config.v1+json", b"{}")).manifest)
    body["config"]["size"] = 5 << 20
    put(hub, json.dumps(body).encode())
    with pytest.raises(NetworkError, match="5242880 bytes are too many"):
        resolve(hub)
    assert len(hub.asked) == 1


def refusal(code: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": "a message"}]}).encode()


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, refusal("NAME_UNKNOWN"), "tiny:1: there is no such repository"),
        (404, refusal("MANIFEST_UNKNOWN"), "tiny:1: there is no such tag or digest"),
        (404, b"<html>not here</html>", "tiny:1: the registry does not have it"),
        (404, refusal("\x1b[31mLURID"), "tiny:1: the registry does not have it"),
        (403, refusal("DENIED"), r"tiny:1: the registry refuses access \(403 DENIED\)"),
        (401, refusal("UNAUTHORIZED"), r"tiny:1: the registry refuses access \(401 UNAUTHORIZED\)"),
        (401, b'{"errors": []}', r"tiny:1: the registry refuses access \(401\)"),
        (418, b"null", "tiny:1: 418"),
    ],
)
def test_refusals_in_words(hub: Watched, status: int, body: bytes, message: str) -> None:
    put(hub, body, status=status)
    with pytest.raises(NetworkError, match=message) as caught:
        resolve(hub)
    assert "\x1b" not in caught.value.message


def test_the_storage_sees_no_login(hub: Watched, storage: Watched, tmp_path: Path) -> None:
    entry = {"auths": {hub.host: {"auth": "dTpodW50ZXIy"}}}  # u:hunter2
    (tmp_path / "config.json").write_text(json.dumps(entry))
    at = storage.put("/data?signed=yes", GGUF)
    hub.put(f"/v2/tiny/blobs/{Digest.of(GGUF)}", status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    file = oci.open(f"oci://{hub.host}/tiny@{Digest.of(GGUF)}", root=NOWHERE)
    with pytest.raises(NetworkError, match="the registry refuses access"), file.read(4, 8):
        pass
    hub.put(f"/v2/tiny/blobs/{Digest.of(GGUF)}", status=307, headers={"Location": at})
    for extent in ((4, 8), (10, 20)):
        with file.read(*extent) as stream:
            assert b"".join(stream.chunks) == GGUF[slice(*extent)]
    assert [shown for _, shown in hub.shown] == [None, "Basic dTpodW50ZXIy", "Basic dTpodW50ZXIy"]
    assert storage.shown == [("/data?signed=yes", None)] * 2


def test_an_address_that_expired_is_asked_for_again(hub: Watched, storage: Watched) -> None:
    blob = f"/v2/tiny/blobs/{Digest.of(GGUF)}"
    hub.put(blob, status=307, headers={"Location": storage.put("/old", GGUF)})
    file = oci.open(f"oci://{hub.host}/tiny@{Digest.of(GGUF)}", root=NOWHERE)
    with file.read(0, 4) as stream:
        assert b"".join(stream.chunks) == GGUF[:4]
    storage.put("/old", status=403)
    hub.put(blob, status=307, headers={"Location": storage.put("/new", GGUF)})
    with file.read(4, 8) as stream:
        assert b"".join(stream.chunks) == GGUF[4:8]


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2025-04-01T10:00:00Z", datetime(2025, 4, 1, 10, tzinfo=UTC)),
        ("2025-04-01T10:00:00.123456789+02:00", datetime(2025, 4, 1, 8, 0, 0, 123456, UTC)),
        ("2025-04-01T10:00:00", datetime(2025, 4, 1, 10, tzinfo=UTC)),
        ("1735689600", datetime(2025, 1, 1, tzinfo=UTC)),
        ("9" * 30, None),
        ("0001-01-01T00:00:00+14:00", None),
        ("²", None),
        ("yesterday", None),
        ("", None),
        (7, None),
        (None, None),
    ],
)
def test_moments(text: object, when: datetime | None) -> None:
    assert moment(text) == when


def test_plain_http_is_for_this_machine() -> None:
    assert api_of("127.0.0.1:5000") == "http://127.0.0.1:5000/v2"
    assert api_of("localhost") == "http://localhost/v2"
    assert api_of("[::1]:5000") == "http://[::1]:5000/v2"
    assert api_of("[::1]") == "http://[::1]/v2"
    assert api_of("10.0.0.1:5000") == "https://10.0.0.1:5000/v2"
    assert api_of("localhost.example.org") == "https://localhost.example.org/v2"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from("schemaVersion layers manifests config digest size annotations platform".split()), inner
        )
    ),
    max_leaves=12,
)


@given(
    JSON
    | st.dictionaries(st.sampled_from(["layers", "manifests", "config"]), JSON).map(lambda d: d | {"schemaVersion": 2})
)
def test_any_json_is_a_manifest_or_an_error(content: Any) -> None:
    try:
        read_manifest(json.dumps(content).encode(), {}, "x")
    except AssayError as error:
        assert isinstance(error, NetworkError) and error.hint
