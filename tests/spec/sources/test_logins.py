"""Against Debian's docker-registry with passwords and with tokens; its token service is the tests' own, its tokens are real."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import Gated, NetworkError
from pipeline.core.project import Project
from pipeline.spec.sources import oci
from pipeline.spec.sources._base import Resolved
from pipeline.spec.sources._logins import Login, challenges
from tests.hubs.registry import PASSWORD, USER, Artifact, Layer, Registry, Tokens, packed, registry, tokens
from tests.hubs.watched import Watched, watched
from tests.projects import assay, edit

NOWHERE = Path("/nowhere")
GGUF = b"GGUF" + bytes(range(256)) * 40
MODEL = Artifact([Layer("application/vnd.docker.ai.gguf.v3", GGUF)])
Write = Callable[..., None]


@pytest.fixture(scope="module")
def with_password(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry"), basic=True) as running:
        running.push("tiny", MODEL, "1")
        yield running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tokens]:
    with tokens(tmp_path_factory.mktemp("tokens")) as running:
        yield running


@pytest.fixture(scope="module")
def with_tokens(tmp_path_factory: pytest.TempPathFactory, service: Tokens) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry"), tokens=service) as running:
        for name in ("public/tiny", "private/tiny"):
            running.push(name, MODEL, "1")
        yield running


@pytest.fixture
def hub(with_tokens: Registry, service: Tokens) -> Registry:
    service.asked.clear()
    service.name, service.lifetime, service.expires_in = "token", 300.0, 300
    return with_tokens


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write Docker's file of logins; without it nobody is logged in."""
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    oci._repository.cache_clear()

    def write(host: str, **entry: str) -> None:
        (tmp_path / "config.json").write_text(json.dumps({"auths": {host: entry}}))

    return write


def resolve(hub: Registry, name: str) -> Resolved:
    return oci.resolve(f"oci://{hub.host}/{name}:1", folder=NOWHERE, root=NOWHERE)


def read(url: str) -> bytes:
    with oci.open(url, root=NOWHERE).read() as stream:
        return b"".join(stream.chunks)


def test_a_password_opens_a_registry(with_password: Registry, config: Write) -> None:
    config(with_password.host, auth=packed(USER, PASSWORD))
    assert read(resolve(with_password, "tiny").blob.url) == GGUF


@pytest.mark.parametrize("entry", [{}, {"auth": packed(USER, "hunter2")}, {"identitytoken": "x"}])
def test_without_the_right_password_it_is_closed(with_password: Registry, config: Write, entry: dict[str, str]) -> None:
    config(with_password.host, **entry)
    with pytest.raises(NetworkError, match=r"refuses access \(401 UNAUTHORIZED\)") as caught:
        resolve(with_password, "tiny")
    assert caught.value.hint.endswith(f"run docker login {with_password.host}")
    assert "hunter2" not in str(caught.value)


def test_what_is_public_needs_an_anonymous_token(hub: Registry, service: Tokens) -> None:
    found = resolve(hub, "public/tiny")
    assert read(found.blob.url) == read(found.blob.url) == GGUF
    assert service.asked == [("GET", "repository:public/tiny:pull", None)]


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_what_is_private_needs_a_login(hub: Registry, service: Tokens, config: Write, name: str) -> None:
    service.name = name
    config(f"http://{hub.host}/v2/", auth=packed(USER, PASSWORD))
    assert read(resolve(hub, "private/tiny").blob.url) == GGUF
    assert service.asked == [("GET", "repository:private/tiny:pull", f"Basic {packed(USER, PASSWORD)}")]


def test_a_refresh_token_is_traded(hub: Registry, service: Tokens, config: Write) -> None:
    config(hub.host, identitytoken=service.refresh_token)
    assert read(resolve(hub, "private/tiny").blob.url) == GGUF
    assert service.asked == [("POST", "repository:private/tiny:pull", service.refresh_token)]
    config(hub.host, identitytoken="another")
    oci._repository.cache_clear()
    with pytest.raises(Gated, match=r"refuses the credentials of .*config\.json") as caught:
        resolve(hub, "private/tiny")
    assert "another" not in str(caught.value)


def test_nobody_sees_what_is_private(hub: Registry) -> None:
    with pytest.raises(
        NetworkError, match=r"private/tiny:1: the registry refuses access \(401 UNAUTHORIZED\)"
    ) as caught:
        resolve(hub, "private/tiny")
    assert "docker login" in caught.value.hint


def test_a_wrong_password_is_told_with_its_place(hub: Registry, config: Write) -> None:
    config(hub.host, auth=packed(USER, "hunter2"))
    with pytest.raises(Gated, match=r"refuses the credentials of .*config\.json") as caught:
        resolve(hub, "private/tiny")
    assert caught.value.hint == f"run docker login {hub.host}"
    assert "hunter2" not in str(caught.value)


def test_a_token_is_renewed_when_its_time_is_over(hub: Registry, service: Tokens) -> None:
    service.expires_in = 1
    found = resolve(hub, "public/tiny")
    file, before = oci.open(found.blob.url, root=NOWHERE), len(service.asked)
    time.sleep(0.6)
    with file.read() as stream:
        assert b"".join(stream.chunks) == GGUF
    assert len(service.asked) > before


def test_a_token_that_the_registry_refuses_is_renewed(hub: Registry, service: Tokens) -> None:
    service.lifetime = -300.0  # over before it began, though it says otherwise
    with pytest.raises(NetworkError, match="refuses access"):
        resolve(hub, "public/tiny")
    service.lifetime = 300.0
    assert read(resolve(hub, "public/tiny").blob.url) == GGUF
    assert len(service.asked) == 2


def test_threads_share_one_login(hub: Registry, service: Tokens) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda _: resolve(hub, "public/tiny"), range(16))]
        assert set(pool.map(lambda one: read(one.blob.url), found)) == {GGUF}
    assert len(service.asked) == 1


def test_a_project_is_locked_and_fetched_from_a_private_registry(
    hub: Registry, config: Write, project: Project, tiny_chat: Path
) -> None:
    weights, license = tiny_chat.read_bytes(), b"Do as you like."
    kinds = "application/vnd.docker.ai.gguf.v3", "application/vnd.docker.ai.license"
    digest = hub.push("private/chat", Artifact([Layer(kinds[0], weights), Layer(kinds[1], license)]), "1")
    config(hub.host, auth=packed(USER, PASSWORD))
    edit(project.specs / "small.yaml", "file:../models/small.gguf", f"oci://{hub.host}/private/chat:1")
    said = [assay("lock", "small", project=project), assay("fetch", "small", project=project)]
    said.append(assay("verify", "small", "--deep", project=project))
    assert [code for code, _, _ in said] == [0, 0, 0], said
    assert f"oci://{hub.host}/private/chat@{digest}" in said[0][1]
    assert said[2][1].count("ok  sha256:") == 2
    lock = "".join(path.read_text() for path in project.root.rglob("*small*") if path.suffix in (".json", ".lock"))
    assert digest in lock
    for secret in (PASSWORD, packed(USER, PASSWORD), "Bearer"):
        assert secret not in lock + str(said)


@pytest.fixture
def pair() -> Iterator[tuple[Watched, Watched]]:
    with watched() as registry, watched() as other:
        yield registry, other


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"token": 7}', b'{"token": "a\\nb: c"}', b'{"token": ""}'])
def test_a_token_service_that_gives_none(pair: tuple[Watched, Watched], body: bytes) -> None:
    hub, service = pair
    realm = service.put("/token?scope=repository%3Atiny%3Apull", body).partition("?")[0]
    hub.put("/v2/tiny/manifests/1", status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})
    with pytest.raises(NetworkError, match=r"token service.* no "):
        oci.resolve(f"oci://{hub.host}/tiny:1", folder=NOWHERE, root=NOWHERE)
    assert len(service.asked) == 1


def test_a_token_service_that_serves_nobody_unknown(pair: tuple[Watched, Watched]) -> None:
    hub, service = pair
    realm = service.put("/token?scope=repository%3Atiny%3Apull", status=401).partition("?")[0]
    hub.put("/v2/tiny/manifests/1", status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})
    with pytest.raises(Gated, match="/tiny wants a login") as caught:
        oci.resolve(f"oci://{hub.host}/tiny:1", folder=NOWHERE, root=NOWHERE)
    assert caught.value.hint == f"run docker login {hub.host}"


@pytest.mark.parametrize(
    ("offered", "asked"),
    [
        ("repository:mirror/tiny:pull", "repository%3Amirror%2Ftiny%3Apull"),
        ("repository:tiny:pull,push", "repository%3Atiny%3Apull"),
        ("repository:a:pull repository:b:pull", "repository%3Atiny%3Apull"),
        ("registry:catalog:*", "repository%3Atiny%3Apull"),
    ],
)
def test_no_more_than_reading_is_asked_for(pair: tuple[Watched, Watched], offered: str, asked: str) -> None:
    hub, service = pair
    realm = f"http://{service.host}/token?realm=1"
    headers = {"WWW-Authenticate": f'Bearer realm="{realm}",service="s p",scope="{offered}"'}
    hub.put("/v2/tiny/manifests/1", status=401, headers=dict(headers))
    with pytest.raises(NetworkError):
        oci.resolve(f"oci://{hub.host}/tiny:1", folder=NOWHERE, root=NOWHERE)
    assert service.asked[0][0] == f"/token?realm=1&service=s%20p&scope={asked}"


def login(host: str, api: str) -> Login:
    return Login(host, "ai/tiny", api)


HUB = login("docker.io", "https://registry-1.docker.io/v2/ai/tiny")
OWN = login("registry.example.org:5000", "https://registry.example.org:5000/v2/ai/tiny")


@pytest.mark.parametrize(
    ("who", "realm", "trusted"),
    [
        (HUB, "https://auth.docker.io/token", True),
        (HUB, "https://registry-1.docker.io/token", True),
        (HUB, "https://auth.docker.io.example.org/token", False),
        (OWN, "https://registry.example.org/token", True),
        (OWN, "https://REGISTRY.example.org:8443/token", True),
        (OWN, "https://auth.docker.io/token", False),
        (OWN, "https://auth.example.org/token", False),
        (OWN, "https://example.org/?https://registry.example.org", False),
    ],
)
def test_whom_credentials_are_sent_to(who: Login, realm: str, trusted: bool) -> None:
    assert who._realm(realm) == realm
    assert who._trusts(realm) is trusted


@pytest.mark.parametrize(
    "realm",
    [
        "http://registry.example.org/token",
        "http://127.0.0.1/token",
        "https://127.0.0.1/token",
        "https://localhost/token",
        "https://10.0.0.1/token",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/token",
        "https://user:hunter2@registry.example.org/token",
        "file:///etc/passwd",
        "//registry.example.org/token",
        "/token",
        "",
    ],
)
def test_token_services_that_are_not_asked(realm: str) -> None:
    with pytest.raises(NetworkError, match="names a token service that may not be asked") as caught:
        OWN._realm(realm)
    assert "hunter2" not in str(caught.value)


def test_a_foreign_token_service_gets_no_credentials(pair: tuple[Watched, Watched], config: Write) -> None:
    hub, foreign = pair
    config(hub.host, auth=packed(USER, PASSWORD))
    foreign.put("/token?scope=repository%3Atiny%3Apull", status=401)
    realm = f"http://localhost:{foreign.server_port}/token"  # another name is another host
    hub.put("/v2/tiny/manifests/1", status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})
    who = login(hub.host, f"http://{hub.host}/v2/tiny")
    assert not who._trusts(realm)
    with pytest.raises(Gated, match="is not public, and its tokens come from another host") as caught:
        oci.resolve(f"oci://{hub.host}/tiny:1", folder=NOWHERE, root=NOWHERE)
    assert f"credentials of {hub.host} are not sent to localhost:{foreign.server_port}" in caught.value.hint
    assert {shown for _, shown in foreign.shown} == {None}


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", {}),
        ("Basic", {"basic": {}}),
        ('Basic realm="x y"', {"basic": {"realm": "x y"}}),
        ('bearer REALM="https://a",scope="a:b,c"', {"bearer": {"realm": "https://a", "scope": "a:b,c"}}),
        ('Bearer realm=https://a , service = "b"', {"bearer": {"realm": "https://a", "service": "b"}}),
        ('Basic realm="x", Bearer realm="y"', {"basic": {"realm": "x"}, "bearer": {"realm": "y"}}),
        (r'Basic realm="a\"b"', {"basic": {"realm": 'a"b'}}),
        ('Bearer realm="unended', {"bearer": {}}),
        ("=,=", {}),
    ],
)
def test_challenges(header: str, found: dict[str, dict[str, str]]) -> None:
    assert challenges(header) == found


@given(st.text(alphabet='Ba =",\\\t:', max_size=60))
def test_any_challenge_is_read(header: str) -> None:
    assert all(isinstance(found, dict) for found in challenges(header).values())
