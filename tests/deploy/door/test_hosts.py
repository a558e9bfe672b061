from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from pipeline.core.errors import UsageError
from pipeline.deploy.door.answers import Refusal
from pipeline.deploy.door.hosts import LOOPBACK, check_host, check_names, check_public
from tests.deploy.door.conftest import KEY, Front, Open
from tests.deploy.door.scripted import scripted

APP = "https://app.example.com"


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "LOCALHOST.", "127.0.0.1:1", "[::1]:8080", "[::1]", "models.example.com"]
)
def test_names_of_ours(host: str) -> None:
    check_host([host], LOOPBACK | {"models.example.com"})


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (["evil.example"], 421),
        (["localhost.evil.example"], 421),
        (["127.0.0.1.evil.example:8080"], 421),
        (["2130706433"], 421),
        (["0.0.0.0"], 421),
        (["::1"], 400),
        (["localhost:x"], 400),
        (["localhost, evil.example"], 400),
        (["evil.example@localhost"], 400),
        ([""], 400),
        ([], 400),
        (["localhost", "localhost"], 400),
    ],
)
def test_names_that_are_not(said: list[str], status: int) -> None:
    with pytest.raises(Refusal) as refusal:
        check_host(said, LOOPBACK)
    assert refusal.value.answer.status == status


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "localhost.evil.example"])
def test_a_rebound_name_gets_nothing_even_with_the_key(front: Front, host: str) -> None:
    answer = front.client.post("/v1/chat/completions", json={"messages": []}, headers={"Host": host})
    assert answer.status_code == 421 and host not in answer.text


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://app.example.com.evil.example", "http://app.example.com"]
)
def test_pages_of_other_sites_get_nothing(front: Front, origin: str) -> None:
    for answer in (
        front.client.get("/v1/models", headers={"Origin": origin}),
        front.client.options(
            "/v1/chat/completions", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
        ),
    ):
        assert answer.status_code == 403
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_pages_of_a_site_that_was_named_may_ask(front: Front) -> None:
    asked = {
        "Origin": APP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-stainless-os",
    }
    url = front.client.base_url.join("/v1/chat/completions")
    before = httpx.options(url, headers=asked)
    assert before.status_code == 204 and before.content == b""
    assert before.headers["access-control-allow-origin"] == APP
    assert before.headers["access-control-allow-headers"] == "authorization,x-stainless-os"
    body = {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 2}
    for answer in (
        front.client.post(url, json=body, headers={"Origin": APP}),
        front.client.post(url, json={"model": "other"}, headers={"Origin": APP}),
        httpx.post(url, json=body, headers={"Origin": APP}),
    ):
        assert answer.headers.get_list("access-control-allow-origin") == [APP]
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer.headers


def test_a_preflight_repeats_no_nonsense(front: Front) -> None:
    asked = {"Origin": APP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "a;b <x>"}
    answer = httpx.options(front.client.base_url.join("/v1/models"), headers=asked)
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type"


def test_a_configured_name_is_ours(sockets: Path, door: Open) -> None:
    with scripted(sockets, lambda client, _: None) as engine:
        front = door(engine, hosts=frozenset({"models.example.com"}))
        said = (
            f"GET /v1/models HTTP/1.1\r\nHost: Models.Example.com:8443\r\nX-Api-Key: {KEY}\r\nConnection: close\r\n\r\n"
        )
        assert front.raw(said.encode()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_no_public_address_without_keys_and_tls(host: str) -> None:
    for keys, tls in ((False, False), (True, False), (False, True)):
        with pytest.raises(UsageError, match="is not this machine's loopback"):
            check_public(host, keys=keys, tls=tls)
    check_public(host, keys=True, tls=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_needs_neither(host: str) -> None:
    check_public(host, keys=False, tls=False)


@pytest.mark.parametrize(
    ("hosts", "origins"),
    [({"a/b"}, ()), ({"https://a"}, ()), ((), {"app.example.com"}), ((), {"https://a/b"}), ((), {"*"})],
)
def test_names_no_browser_sends_are_refused(hosts: set[str], origins: set[str]) -> None:
    with pytest.raises(UsageError):
        check_names(frozenset(hosts), frozenset(origins))
