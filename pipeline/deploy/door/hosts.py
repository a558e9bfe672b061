"""Who may be meant and who may ask: the Host header, and the Origin of a web page.

A page of any site can make its own name point to 127.0.0.1 (DNS rebinding). The browser then sends that name as Host,
so a name that is not ours is refused.
"""

from __future__ import annotations

import re

from pipeline.core.errors import UsageError
from pipeline.core.http import is_loopback
from pipeline.deploy.door.answers import Headers, Refusal

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[0-9a-f:.]+")
_HOST = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9.\[\]:_-]+")
_HEADER_NAMES = re.compile(r"[A-Za-z0-9-]+(?:\s*,\s*[A-Za-z0-9-]+)*")


def check_names(hosts: frozenset[str], origins: frozenset[str]) -> None:
    """Raise UsageError for a host name or an origin that no browser would ever send."""
    for host in hosts:
        if not _NAME.fullmatch(host):
            raise UsageError(f"{host!r} is no host name", hint="such as models.example.com, without scheme and port")
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise UsageError(f"{origin!r} is no origin", hint="such as https://app.example.com, without a path")


def check_public(host: str, *, keys: bool, tls: bool) -> None:
    """Raise UsageError for an address that others can reach, unless there are keys of its own and TLS."""
    if is_loopback(host) or (keys and tls):
        return
    missing = " and ".join([*([] if keys else ["--keys FILE"]), *([] if tls else ["--tls-cert and --tls-key"])])
    raise UsageError(
        f"{host} is not this machine's loopback, and others could reach it",
        hint=f"that needs {missing}; without them serve listens on 127.0.0.1 alone",
    )


def check_host(said: list[str], allowed: frozenset[str]) -> None:
    """Raise Refusal unless there is one Host header and it names us; the port is of no matter."""
    found = _HOST.fullmatch(said[0]) if len(said) == 1 else None
    if not found:
        raise Refusal(400, "bad_host", "a request has one Host header")
    name = (found[1] or found[2]).lower().removesuffix(".")
    if name not in allowed:
        raise Refusal(421, "wrong_host", "this server is not known by that Host", [("Connection", "close")])


def cors(origin: str, allowed: frozenset[str]) -> Headers:
    """Return the headers by which a page of ``origin`` may read an answer. Raises Refusal for one that may not."""
    if origin not in allowed:
        raise Refusal(403, "wrong_origin", "pages of this origin may not ask here", [("Vary", "Origin")])
    shown = "x-assay-lock, x-assay-model-digest, x-request-id, retry-after"
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Vary", "Origin"),
        ("Access-Control-Expose-Headers", shown),
    ]


def preflight(asked: str) -> Headers:
    """Return what a browser wants to know before it asks; ``asked`` are the headers that a page wants to send."""
    allowed = asked if _HEADER_NAMES.fullmatch(asked) else "authorization, content-type"
    return [
        ("Access-Control-Allow-Methods", "GET, POST"),
        ("Access-Control-Allow-Headers", allowed),
        ("Access-Control-Max-Age", "600"),
    ]
