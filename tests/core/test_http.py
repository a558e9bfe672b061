from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from pipeline.core import http
from pipeline.core.errors import NetworkError, UsageError
from tests.origin import Answer, Origin, origin


@pytest.fixture(scope="module")
def server() -> Iterator[Origin]:
    with origin() as running:
        yield running


def body(url: str) -> bytes:
    with http.get(url) as response:
        return response.read()


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("127.0.0.9", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
        ("127.1", False),
        ("2130706433", False),
        ("localhost.", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, here: bool) -> None:
    assert http.is_loopback(host) is here


@pytest.mark.parametrize(
    "url", ["https://example.org/a", "https://example.org:8443/a?b=c", "http://localhost/x", "http://[::1]:80/x"]
)
def test_allowed_urls(url: str) -> None:
    assert http.check_url(url) == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.org/x", "not an https URL"),
        ("ftp://example.org/x", "not an https URL"),
        ("http://127.0.0.1.example.org/x", "not an https URL"),
        ("https://user:secret@example.org/x", "must not hold a user name"),
        ("http://user:secret@example.org/x", "must not hold a user name"),
        ("https://token@example.org/x", "must not hold a user name"),
        ("https://@example.org/x", "must not hold a user name"),
        ("https:///x", "not a URL"),
        ("https://[::1/x", "not a URL"),
        ("https://example.org:99999/x", "not a URL"),
        ("https://example.org/a b", "not a URL"),
        ("https://example.org/a\nb", "not a URL"),
    ],
)
def test_urls_that_are_refused(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        http.check_url(url)
    assert caught.value.hint and "secret" not in str(caught.value) + caught.value.hint
    with pytest.raises(UsageError, match=said), http.get(url):
        pytest.fail("it was opened")


def test_a_good_answer(server: Origin) -> None:
    assert body(server.put("/good", b"yes")) == b"yes"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server: Origin, status: int) -> None:
    server.put("/end", b"here")
    assert body(server.put("/start", status=status, headers={"Location": "/end"})) == b"here"


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("/round", "more than 5 redirects"),
        ("http://example.org/x", "not allowed"),
        ("https://u:secret@example.org/x", "not allowed"),
        ("file:///etc/passwd", "not allowed"),
        ("//[", "Invalid|not allowed"),
    ],
)
def test_redirects_that_are_refused(server: Origin, location: str, said: str) -> None:
    url = server.put("/round", status=302, headers={"Location": location})
    with pytest.raises(NetworkError, match=said) as caught:
        body(url)
    assert caught.value.message.startswith(url) and "secret" not in str(caught.value)


def test_a_redirect_never_leads_from_https_to_plain_http() -> None:
    with pytest.raises(NetworkError, match="from https to plain http"):
        http._redirected("https://a.example/x", "https://b.example/y", "http://127.0.0.1/x")
    assert http._redirected("https://a.example/x", "https://a.example/x", "https://b.example/y")


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "login"),
        (403, "gated"),
        (404, "misspelt"),
        (410, "gone"),
        (429, "wait"),
        (500, "later"),
        (503, "later"),
        (300, ""),
        (304, ""),
        (418, ""),
    ],
)
def test_other_answers_are_network_errors(server: Origin, status: int, hint: str) -> None:
    url = server.put("/bad", status=status)
    with pytest.raises(NetworkError, match=f"{status}") as caught:
        body(url)
    assert caught.value.message.startswith(url) and hint in caught.value.hint


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/x"
        with pytest.raises(NetworkError, match="refused") as caught:
            body(url)
    assert "run the command again" in caught.value.hint


def test_a_body_that_ends_early_is_a_network_error(server: Origin) -> None:
    with pytest.raises(NetworkError, match=r"incomplete|closed"):
        body(server.put("/cut", b"x" * 1000, cut=10))


def test_an_origin_that_falls_silent(server: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_READ_SECONDS", 0.1)
    with pytest.raises(NetworkError, match=r"(?i)timed? ?out"):
        body(server.put("/slow", b"x" * 100, pause=1.0))


def test_no_proxy_stands_between_us_and_this_machine(server: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    url = server.put("/near", b"near")
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(name.upper(), "" if name == "no_proxy" else "http://127.0.0.1:1")
    assert body(url) == b"near"
    with pytest.raises(NetworkError, match="refused"):
        body("https://assay.invalid/x")


def test_a_proxy_that_can_not_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://127.0.0.1:1")
    monkeypatch.delenv("https_proxy", raising=False)
    with pytest.raises(UsageError, match="proxy"):
        body("https://assay.invalid/x")


@pytest.mark.parametrize(
    "location",
    [
        "https://10.0.0.1/x",
        "https://192.168.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://0.0.0.0/x",
        "https://100.64.0.1/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://localhost./x",
        "https://a.localhost/x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://0177.0.0.1/x",
        "https://127.1/x",
        "https://10.0.0.1./x",
    ],
)
def test_no_host_of_the_world_sends_us_into_a_private_network(location: str) -> None:
    with pytest.raises(NetworkError, match="not allowed") as caught:
        http._redirected("https://hub.example/m", "https://hub.example/m", location)
    assert "private network" in caught.value.hint


@pytest.mark.parametrize("location", ["https://1.1.1.1/x", "https://10.example.org/x", "https://127.0.0.1.example/x"])
def test_the_world_is_open(location: str) -> None:
    assert http._redirected("https://hub.example/m", "https://hub.example/m", location) == location


def test_authorization_and_a_body_go_to_the_host_that_was_asked_alone(server: Origin) -> None:
    with origin() as away:
        there = away.put("/there", b"there")
        url = server.put("/login", status=302, headers={"Location": there})
        with http.get(url, authorization="Bearer secret") as response:
            assert (response.read(), response.url, response.at) == (b"there", url, there)
        assert server.credentials[-1] == "Bearer secret" and away.credentials == [None]
        back = away.put("/back", status=302, headers={"Location": server.put("/home", b"home")})
        with http.get(server.put("/out", status=302, headers={"Location": back}), authorization="Bearer x") as response:
            assert response.read() == b"home"
        assert server.credentials[-1] == "Bearer x" and away.credentials == [None, None]


def test_messages_name_what_was_asked_for_and_never_where_it_led(server: Origin) -> None:
    with origin() as away:
        signed = away.put("/signed?X-Signature=secret", status=403)
        url = server.put("/m", status=302, headers={"Location": signed})
        with pytest.raises(http.Refused) as caught:
            body(url)
    assert caught.value.message == f"{url}: 403 Forbidden" and "secret" not in str(caught.value)
    with pytest.raises(http.Refused, match=r"^hub: 404"), http.get(server.put("/none", status=404), shown="hub"):
        pytest.fail("it was there")


def test_a_refusal_tells_all_that_the_server_said(server: Origin) -> None:
    url = server.put("/no", b"{why}", status=403, headers={"X-Error-Code": "GatedRepo"})
    with pytest.raises(http.Refused) as caught:
        body(url)
    error = caught.value
    assert (error.status, error.headers["x-error-code"], error.body) == (403, "GatedRepo", b"{why}")
    assert not error.transient and error.wait is None and http.pause(error, 0) is None


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 0 "}, 0.0),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "\u00b2"}, None),
        ({"Retry-After": "9" * 5000}, None),
        ({"RateLimit": '"api";r=0;t=55'}, 55.0),
        ({"RateLimit": '"api"; r=0; t=5, "resolvers"; r=0; t=60'}, 60.0),
        ({"RateLimit": '"api";r=3;t=55'}, None),
        ({"RateLimit": '"api";r=0;t=\u00b2'}, None),
        ({"RateLimit": "nonsense"}, None),
        ({}, None),
    ],
)
def test_what_a_busy_server_asks_for(server: Origin, headers: dict[str, str | None], wait: float | None) -> None:
    with pytest.raises(http.Refused) as caught:
        body(server.put("/busy", status=429, headers=headers))
    assert caught.value.transient and caught.value.wait == wait


def test_pauses_grow_are_jittered_and_bounded() -> None:
    error = NetworkError("busy", transient=True)
    for number in range(4):
        waits = {http.pause(error, number) for _ in range(50)}
        assert len(waits) > 10 and all(wait and 0.25 * 2**number <= wait <= 0.5 * 2**number for wait in waits)
    assert http.pause(NetworkError("busy", transient=True, wait=20.0), 3) == 20.0
    assert http.pause(NetworkError("busy", transient=True, wait=86400.0), 0) is None
    assert http.pause(NetworkError("gone"), 0) is None


def test_metadata_is_asked_for_again_while_the_server_is_busy(server: Origin) -> None:
    def busy(number: int, _: str | None) -> Answer | None:
        return Answer(status=503, headers={"Retry-After": "0"}) if number < 4 else None

    assert http.get_json(server.put("/json", b'{"a": 1}', turn=busy))[0] == {"a": 1}
    server.forget()
    with pytest.raises(NetworkError, match="503"):
        http.get_bytes(server.put("/busy", status=503, headers={"Retry-After": "0"}))
    assert len(server.asked) == 5
    server.forget()
    with pytest.raises(NetworkError, match="404"):
        http.get_bytes(server.put("/gone", status=404))
    assert len(server.asked) == 1


def test_what_is_no_json_is_told(server: Origin) -> None:
    with pytest.raises(NetworkError, match="is no JSON") as caught:
        http.get_json(server.put("/page", b"<html>"))
    assert "address" in caught.value.hint


def test_metadata_has_an_end(server: Origin) -> None:
    with http.get(server.put("/long", b"x" * 2000)) as response, pytest.raises(NetworkError, match="longer than 0 MiB"):
        response.read(1000)


def test_a_compressed_body_is_refused(server: Origin) -> None:
    with pytest.raises(NetworkError, match="compressed"):
        body(server.put("/gzip", b"\x1f\x8b", headers={"Content-Encoding": "gzip"}))
    assert body(server.put("/plain", b"x", headers={"Content-Encoding": "identity"})) == b"x"


def test_a_connection_serves_many_requests_and_none_after_one_that_was_left(server: Origin) -> None:
    url = server.put("/some", b"x" * 100_000)
    for _ in range(3):
        assert len(body(url)) == 100_000
    with http.get(url) as response:
        next(response.chunks())
    assert len(body(url)) == 100_000
