"""Where a client finds a served model, and what it may ask of it."""

from __future__ import annotations

from urllib.parse import urlsplit

from pipeline.connect._base import Target
from pipeline.core.errors import UsageError
from pipeline.core.http import is_loopback
from pipeline.flow.session import Session
from pipeline.lock.model import Lockfile


def target_of(session: Session, lock: Lockfile, url: str | None) -> Target:
    """Return the target. Raises UsageError for a URL that is none, holds a password, or sends a key unencrypted to another machine."""
    spec = lock.spec
    if not url and not spec.deploy.port:
        raise UsageError(
            f"{lock.name} takes any free port", hint="name the one that it got: --url http://127.0.0.1:PORT"
        )
    return Target(
        name=lock.name,
        pinned=f"{lock.name}@{lock.weights.sha256}",
        url=_checked(url) if url else f"http://127.0.0.1:{spec.deploy.port}",
        key_file=session.project.state / "serve" / lock.name / "key",
        context=spec.engine.context,
        answer=spec.sampling.max_tokens or max(1, spec.engine.context // 4),
    )


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable() or " " in url:
        raise UsageError(f"{url!r} is no address of a server", hint="write for instance http://127.0.0.1:8080")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError("the URL holds more than an address", hint="name scheme, host, port and path alone")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise UsageError(
            f"{url}: the key would go over the network unencrypted", hint="put TLS before it, and write https://"
        )
    return url.rstrip("/").removesuffix("/v1")
