"""Files on the web: ``https://…``. Plain http is taken from this machine only, and a URL holds no password."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.core import http
from pipeline.core.errors import NetworkError, UsageError
from pipeline.spec.sources._base import Blob, Resolved, too_new
from pipeline.spec.sources._web import WebFile

SCHEMES = ("https", "http")
EXAMPLE = "https://example.org/models/model-q4_k_m.gguf"
LOCAL = False


def check(reference: str) -> None:
    """Refuse URLs that may not be opened, and those that name no file."""
    _name(reference)


def resolve(reference: str, *, folder: Path, root: Path, before: datetime | None = None) -> Resolved:
    """Ask for the file's size; the origin publishes no digest, so the spec states it or it is learnt from the bytes."""
    name = _name(reference)
    size, published = http.persist(lambda: _head(reference))
    too_new(reference, published, before)
    return Resolved(reference, (Blob(name, reference, size, None),), published=published)


def open(url: str, *, root: Path) -> WebFile:
    """Return the file at ``url``."""
    return WebFile(url)


def _head(reference: str) -> tuple[int, datetime | None]:
    """Return the file's size and when it was changed, from the answer to its first byte: HEAD is refused by signed addresses."""
    with http.get(reference, {"Range": "bytes=0-0"}) as response:
        said = response.headers
        whole = (
            said.get("content-range", "").rpartition("/")[2]
            if response.status == 206
            else said.get("content-length", "")
        )
        if not (whole.isascii() and whole.isdigit() and len(whole) <= 18):
            raise NetworkError(f"{reference}: the origin does not say how large the file is")
        try:
            return int(whole), parsedate_to_datetime(said.get("last-modified", "")).astimezone(UTC)
        except ValueError:
            return int(whole), None


def _name(url: str) -> str:
    """Return the file's name, without any folder. Raises UsageError where the URL has none."""
    name = Path(unquote(urlsplit(http.check_url(url)).path)).name
    if not name.isprintable() or name in ("", ".."):
        raise UsageError(f"{url} names no file", hint=f"write for instance {EXAMPLE}")
    return name
