"""Files on the web: ``https://…``. Plain http is taken from this machine only, and a URL holds no password."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.core import http
from pipeline.core.errors import NetworkError, UsageError
from pipeline.spec.sources._base import Blob, Resolved, Stream

SCHEMES = ("https", "http")
EXAMPLE = "https://example.org/models/model-q4_k_m.gguf"
_CHUNK = 1 << 18
_LENGTH = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


def check(reference: str) -> None:
    """Refuse URLs that may not be opened, and those that name no file."""
    _name(reference)


def resolve(reference: str, *, folder: Path, root: Path) -> Resolved:
    """Ask for the file's size; the origin publishes no digest, so the spec states it or it is learnt from the bytes."""
    name = _name(reference)
    with read(reference, root=root, end=1) as stream:
        if stream.size is None:
            raise NetworkError(f"{reference}: the origin does not say how large the file is")
        return Resolved(reference, Blob(name, reference, stream.size, None))


@contextmanager
def read(url: str, *, root: Path, start: int = 0, end: int | None = None) -> Iterator[Stream]:
    """Read from ``start`` by a range request; an origin that ignores the range is read from 0."""
    headers = {"Accept-Encoding": "identity"}
    if start or end is not None:
        headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
    with http.get(url, headers) as response:
        begin, size = _extent(url, response.status_code, response.headers, start)
        yield Stream(begin, size, response.iter_raw(_CHUNK))


def _name(url: str) -> str:
    """Return the file's name, without any folder. Raises UsageError where the URL has none."""
    name = Path(unquote(urlsplit(http.check_url(url)).path)).name
    if not name.isprintable() or name in ("", ".."):
        raise UsageError(f"{url} names no file", hint=f"write for instance {EXAMPLE}")
    return name


def _extent(url: str, status: int, headers: Mapping[str, str], start: int) -> tuple[int, int | None]:
    """Return where the body begins and the whole file's size. Only a 206 with the very range asked for is a part."""
    if headers.get("content-encoding", "identity") != "identity":
        raise NetworkError(f"{url}: the origin sends the file compressed, though it was asked not to")
    if status != 206:
        length = headers.get("content-length", "")
        return 0, int(length) if _LENGTH.fullmatch(length) else None
    said = headers.get("content-range", "")
    found = _RANGE.fullmatch(said)
    if not found or int(found[1]) != start or int(found[2]) < start:
        raise NetworkError(f"{url}: asked for bytes from {start}, the origin sent {said!r}")
    return start, None if found[3] == "*" else int(found[3])
