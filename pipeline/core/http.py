"""The one way out to the network: verified TLS, bounded waits, and plain http to this machine only."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.core.errors import NetworkError, UsageError

if TYPE_CHECKING:
    import httpx

_CONNECT_SECONDS, _READ_SECONDS = 10.0, 30.0
_REDIRECTS = 5


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` is this machine, by name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str) -> str:
    """Return ``url`` if Assay may open it. Raises UsageError for credentials in it, which the message doesn't repeat, for
    what is no URL, and for plain http beyond loopback.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port  # asking for the port checks it
    except ValueError as error:
        raise UsageError(f"not a URL: {error}", hint="write for instance https://example.org/model.gguf") from None
    if "@" in parts.netloc:
        raise UsageError(
            "a URL must not hold a user name or password", hint="a spec and its lock are public: leave it out"
        )
    if not host or any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        raise UsageError(f"not a URL: {url!r}", hint="write for instance https://example.org/model.gguf")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise UsageError(f"not an https URL: {url}", hint="plain http is only for this machine")
    return url


@contextmanager
def get(url: str, headers: dict[str, str] | None = None) -> Iterator[httpx.Response]:
    """Open ``url``, following redirects to allowed URLs; yields the streaming response, whose status is 2xx.

    Proxies and certificates are taken from the environment, but no proxy for this machine. Raises UsageError for a URL
    that is not allowed, NetworkError for all that goes wrong on the way, also while the caller reads. Messages name the
    URL that was asked for, never where a redirect led: such an address may hold a token.
    """
    import httpx  # a fifth of a second, which commands that stay on this machine save

    at = check_url(url)
    try:
        for _ in range(_REDIRECTS + 1):
            with _client(at) as client, client.stream("GET", at, headers=headers) as response:
                if not response.has_redirect_location:
                    if not response.is_success:
                        said = f"{response.status_code} {response.reason_phrase}".rstrip()
                        raise NetworkError(f"{url}: {said}", hint=_HINTS.get(response.status_code, ""))
                    yield response
                    return
                at = _redirected(url, at, str(response.url.join(response.headers["location"])))
        raise NetworkError(f"{url}: more than {_REDIRECTS} redirects")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = str(error) or type(error).__name__
        raise NetworkError(f"{url}: {said}", hint="check the network, then run the command again") from None


def _client(url: str) -> httpx.Client:
    import httpx

    timeout = httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
    try:
        return httpx.Client(timeout=timeout, trust_env=not is_loopback(urlsplit(url).hostname or ""))
    except (ImportError, ValueError) as error:
        raise UsageError(f"the proxy settings can't be used: {error}", hint="see HTTPS_PROXY and ALL_PROXY") from None


def _redirected(asked: str, old: str, new: str) -> str:
    """Return ``new`` if a redirect from ``old`` may lead there: an https URL, or this machine's own from this machine."""
    try:
        check_url(new)
    except UsageError as error:
        raise NetworkError(f"{asked}: redirected to a URL that is not allowed", hint=error.hint) from None
    if urlsplit(new).scheme == "http" and urlsplit(old).scheme != "http":
        raise NetworkError(f"{asked}: redirected from https to plain http")
    return new


_HINTS = {
    401: "the origin wants a login",
    403: "the origin refuses access: is the model gated?",
    404: "the file is gone, or the URL is misspelt",
    410: "the file is gone",
    416: "the file at the origin is shorter than the lock says",
    429: "the origin asks to wait: try again later",
    500: "the origin has a problem: try again later",
    502: "the origin has a problem: try again later",
    503: "the origin has a problem: try again later",
    504: "the origin has a problem: try again later",
}
