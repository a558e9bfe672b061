from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from pipeline.core import http
from pipeline.core.errors import NetworkError, UsageError
from tests.origin import Origin, origin


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
