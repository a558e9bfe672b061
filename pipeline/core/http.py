"""The one way out to the network: verified TLS, bounded waits, plain http to this machine only.

Credentials go to the host they are meant for and to no other, redirects included. Bulk data is the reason for urllib3: the same gigabyte
costs httpx four times the CPU time.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

from pipeline import __version__
from pipeline.core.errors import NetworkError, UsageError

if TYPE_CHECKING:
    import urllib3

T = TypeVar("T")
CHUNK = 1 << 18
MOST_METADATA = 64 << 20
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 30.0
_REDIRECTS = 5
_TRIES, _FIRST_WAIT, _LONGEST_WAIT = 5, 0.5, 300.0
_SECONDS = re.compile("[0-9]{1,8}")
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class Refused(NetworkError):
    """The server answered, with a status that is no success. ``headers`` are its own, names in lower case; ``body`` is its beginning."""

    def __init__(self, url: str, status: int, reason: str, headers: Mapping[str, str], body: bytes) -> None:
        said = f"{url}: {status} {reason}".rstrip()
        super().__init__(said, hint=_HINTS.get(status, ""), transient=status in _TRANSIENT, wait=_asked_wait(headers))
        self.status, self.headers, self.body = status, headers, body


@dataclass(frozen=True)
class Response:
    """A successful answer whose body is still to be read. ``at`` is where redirects led; header names are in lower case."""

    url: str
    at: str
    status: int
    headers: Mapping[str, str]
    raw: urllib3.BaseHTTPResponse

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes. Raises NetworkError for one that is encoded."""
        if self.headers.get("content-encoding", "identity") != "identity":
            raise NetworkError(f"{self.url}: it comes compressed, unasked", hint="take another origin or a mirror")
        while chunk := self.raw.read1(CHUNK, decode_content=False):
            yield chunk

    def read(self, most: int = MOST_METADATA) -> bytes:
        """Return the whole body. Raises NetworkError when it is longer than ``most`` bytes."""
        data = bytearray()
        for chunk in self.chunks():
            data += chunk
            if len(data) > most:
                raise NetworkError(f"{self.url}: the answer is longer than {most >> 20} MiB")
        return bytes(data)


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` is this machine, by name or address."""
    return _reach(host) == 0


def _reach(host: str) -> int:
    """Return how far away a host is by its name alone: 0 this machine, 1 a private network, 2 anywhere. Odd spellings of an address
    (``127.1``, ``0x7f000001``), which resolvers understand, count as private wherever they lead.
    """
    if host == "localhost":
        return 0
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        odd = re.fullmatch(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*\.?|(.*\.)?localhost\.?", host, re.IGNORECASE)
        return 1 if odd else 2
    return 0 if address.is_loopback else 2 if address.is_global else 1


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


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port: what credentials belong to."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


@contextmanager
def get(
    url: str,
    headers: Mapping[str, str] | None = None,
    *,
    authorization: str | None = None,
    method: str = "GET",
    body: bytes | Iterator[bytes] | None = None,
    shown: str = "",
) -> Iterator[Response]:
    """Open ``url``, following redirects to allowed URLs; yields the streaming response, whose status is 2xx.

    ``authorization`` is the header's value; it and ``body`` go to the host of ``url`` alone. Proxies and certificates are taken from the
    environment, but no proxy for this machine. Raises UsageError for a URL that is not allowed, Refused for any other status,
    NetworkError for all else that goes wrong on the way, also while the caller reads. Messages name ``shown`` or the URL that
    was asked for, never where a redirect led: such an address may hold a token.
    """
    import urllib3.exceptions as broken

    at, asked = check_url(url), shown or url
    sent = {"Accept-Encoding": "identity", "User-Agent": f"assay/{__version__}", **(headers or {})}
    try:
        for _ in range(_REDIRECTS + 1):
            private = {"Authorization": authorization} if authorization and origin_of(at) == origin_of(url) else {}
            raw = _pool_for(at).request(
                method,
                at,
                body=body if origin_of(at) == origin_of(url) else None,
                headers={**sent, **private},
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=_timeout(),
            )
            whole = False
            try:
                said = {name.lower(): value for name, value in raw.headers.items()}
                if raw.status in (301, 302, 303, 307, 308) and "location" in said:
                    at = _redirected(asked, at, said["location"])
                    raw.read(CHUNK)  # a small body leaves the connection free for the next request
                    whole = True
                    continue
                if not 200 <= raw.status < 300:
                    raise Refused(asked, raw.status, raw.reason or "", said, raw.read(4096))
                yield Response(asked, at, raw.status, said, raw)
                whole = True
                return
            finally:
                # One that was left in the middle can't serve another request.
                raw.release_conn() if whole and raw.length_remaining == 0 else raw.close()
        raise NetworkError(f"{asked}: more than {_REDIRECTS} redirects", hint="is this the right address?")
    except (broken.HTTPError, OSError) as error:
        raise _broken(asked, error) from None


def get_bytes(
    url: str, headers: Mapping[str, str] | None = None, *, authorization: str | None = None
) -> tuple[bytes, Mapping[str, str]]:
    """Return a small body and its headers, asking again when the server is only busy. Raises as ``get`` does."""

    def once() -> tuple[bytes, Mapping[str, str]]:
        with get(url, headers, authorization=authorization) as response:
            return response.read(), response.headers

    return persist(once)


def get_json(
    url: str, headers: Mapping[str, str] | None = None, *, authorization: str | None = None
) -> tuple[Any, Mapping[str, str]]:
    """Return a JSON body and its headers, as ``get_bytes`` does. Raises NetworkError for what is no JSON."""
    body, said = get_bytes(url, {"Accept": "application/json", **(headers or {})}, authorization=authorization)
    try:
        return json.loads(body), said
    except ValueError as error:
        raise NetworkError(f"{url}: the answer is no JSON: {error}", hint="is this the right address?") from None


def persist(attempt: Callable[[], T]) -> T:
    """Return what ``attempt`` returns, trying again after a transient NetworkError: after what the server asks for, or twice as
    long each time, jittered.
    """
    for number in range(_TRIES - 1):
        try:
            return attempt()
        except NetworkError as error:
            wait = pause(error, number)
            if wait is None:
                raise
            time.sleep(wait)
    return attempt()


def pause(error: NetworkError, number: int) -> float | None:
    """Return for how many seconds to wait before trying again, after ``number`` waits before; None when there is no sense in it."""
    if not error.transient or (error.wait or 0.0) > _LONGEST_WAIT:
        return None
    return error.wait if error.wait is not None else _FIRST_WAIT * 2**number * random.uniform(0.5, 1.0)


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of ``Retry-After``, or of a ``RateLimit`` that is used up (``"api";r=0;t=55``)."""
    said = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(said):
        return float(said)
    if said:
        try:
            return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
        except ValueError:
            return None
    limits = [
        dict(part.strip().partition("=")[::2] for part in one.split(";"))
        for one in headers.get("ratelimit", "").split(",")
    ]
    waits = [int(limit["t"]) for limit in limits if limit.get("r") == "0" and _SECONDS.fullmatch(limit.get("t", ""))]
    return float(max(waits)) if waits else None


def _timeout() -> urllib3.Timeout:
    import urllib3

    return urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)


def _pool_for(url: str) -> urllib3.PoolManager:
    """Return the connections to the host of ``url``."""
    from pipeline.core.pools import pool_for

    scheme, host, port = origin_of(url)
    return pool_for(scheme, host, port, direct=is_loopback(host))


def _redirected(asked: str, old: str, location: str) -> str:
    """Return where a redirect from ``old`` leads, if it may: an https URL, or this machine's own from this machine. No host of the
    world sends us into a private network.
    """
    try:
        new = check_url(urljoin(old, location))
    except (UsageError, ValueError) as error:
        hint = error.hint if isinstance(error, UsageError) else ""
        raise NetworkError(f"{asked}: redirected to a URL that is not allowed", hint=hint) from None
    if urlsplit(new).scheme == "http" and urlsplit(old).scheme != "http":
        raise NetworkError(f"{asked}: redirected from https to plain http")
    if (to := _reach(origin_of(new)[1])) < 2 and to != _reach(origin_of(old)[1]):
        raise NetworkError(f"{asked}: redirected to a URL that is not allowed", hint="it leads into a private network")
    return new


def _broken(url: str, error: Exception) -> NetworkError:
    """Return what a user must hear of an error on the way."""
    import urllib3.exceptions as broken

    if isinstance(error, broken.ProxyError):
        return NetworkError(f"{url}: the proxy: {error.original_error or error}", hint="see HTTPS_PROXY and ALL_PROXY")
    if isinstance(error, broken.NewConnectionError):
        said = str(error).partition("): ")[2] or str(error)
        return NetworkError(f"{url}: {said}", hint="check the network, then run the command again")
    if isinstance(error, broken.TimeoutError):
        return NetworkError(f"{url}: timed out", hint="check the network, then run the command again", transient=True)
    cause = error.args[1] if isinstance(error, broken.ProtocolError) and len(error.args) > 1 else None
    if isinstance(cause, http.client.IncompleteRead):
        said = f"the transfer is incomplete: {cause.expected} bytes are missing"
        return NetworkError(f"{url}: {said}", hint="run the command again", transient=True)
    if isinstance(cause, OSError):
        return NetworkError(f"{url}: {cause}", hint="run the command again", transient=True)
    said = str(error) or type(error).__name__
    sure = isinstance(error, broken.SSLError | broken.LocationValueError)
    return NetworkError(f"{url}: {said}", hint="check the network, then run the command again", transient=not sure)


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
