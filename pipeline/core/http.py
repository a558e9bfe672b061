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
    """Return ``url`` if Assay may open it. Raises UsageError for plain http beyond loopback, and for credentials in the URL."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise UsageError(f"not an https URL: {url}", hint="plain http is only for this machine")
    if parts.username or parts.password:
        raise UsageError("a URL must not hold a password", hint="a spec and its lock are public")
    return url


@contextmanager
def get(url: str, headers: dict[str, str] | None = None) -> Iterator[httpx.Response]:
    """Open ``url``, following redirects to allowed URLs; yields the streaming response. Raises NetworkError."""
    import httpx  # a fifth of a second, which commands that stay on this machine save

    timeout = httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
    try:
        with httpx.Client(timeout=timeout, trust_env=True) as client:
            for _ in range(_REDIRECTS + 1):
                with client.stream("GET", check_url(url), headers=headers) as response:
                    if response.is_redirect:
                        url = str(response.url.join(response.headers["location"]))
                        continue
                    if response.is_error:
                        raise NetworkError(
                            f"{url}: {response.status_code} {response.reason_phrase}", hint=_HINTS.get(response.status_code, "")
                        )
                    yield response
                    return
        raise NetworkError(f"{url}: more than {_REDIRECTS} redirects")
    except httpx.HTTPError as error:
        raise NetworkError(f"{url}: {error or type(error).__name__}", hint="check the network, then run the command again") from None


_HINTS = {
    401: "the origin wants a login",
    403: "the origin refuses access: is the model gated?",
    404: "the file is gone, or the URL is misspelt",
    429: "the origin asks to wait: try again later",
}
