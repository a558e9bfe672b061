"""Files on the web: ``https://…``. Plain http is taken from this machine only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.core import http
from pipeline.core.errors import NetworkError, UsageError
from pipeline.spec.sources._base import Blob, Resolved, Stream

SCHEMES = ("https", "http")
EXAMPLE = "https://example.org/models/model-q4_k_m.gguf"
_CHUNK = 1 << 18


def resolve(reference: str, *, folder: Path, root: Path) -> Resolved:
    """Ask for the file's size; the origin publishes no digest, so the spec states it or it is learnt from the bytes."""
    path = Path(unquote(urlsplit(http.check_url(reference)).path)).name
    if not path:
        raise UsageError(f"{reference} names no file", hint=f"write for instance {EXAMPLE}")
    with read(reference, root=root, end=1) as stream:
        if stream.size is None:
            raise NetworkError(f"{reference}: the origin does not say how large the file is")
        return Resolved(reference, Blob(path, reference, stream.size, None))


@contextmanager
def read(url: str, *, root: Path, start: int = 0, end: int | None = None) -> Iterator[Stream]:
    """Read from ``start`` by a range request; an origin that ignores the range is read from 0."""
    headers = {"Accept-Encoding": "identity"}
    if start or end is not None:
        headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
    with http.get(url, headers) as response:
        begin, size = _extent(url, response.status_code, dict(response.headers), start)
        yield Stream(begin, size, response.iter_bytes(_CHUNK))


def _extent(url: str, status: int, headers: dict[str, str], start: int) -> tuple[int, int | None]:
    """Return where the body begins and the whole file's size. Only a 206 with the very range asked for is a part."""
    if status != 206:
        length = headers.get("content-length", "")
        return 0, int(length) if length.isdigit() else None
    unit, _, rest = headers.get("content-range", "").partition(" ")
    span, _, total = rest.partition("/")
    first = span.partition("-")[0]
    if unit != "bytes" or not first.isdigit() or int(first) != start:
        raise NetworkError(f"{url}: asked for bytes from {start}, the origin sent {headers.get('content-range')!r}")
    return start, int(total) if total.isdigit() else None
