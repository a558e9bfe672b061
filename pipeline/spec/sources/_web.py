"""A file behind a URL, read in ranges: what the sources that speak HTTP have in common."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from pipeline.core import http
from pipeline.core.errors import NetworkError
from pipeline.spec.sources._base import Stream

PARALLEL = 16
# A server that sends less than this for so long only holds the connection; another one may do better.
_LEAST_BYTES, _PER_SECONDS = 8 << 10, 30.0
_LENGTH = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_EXPIRED = frozenset({400, 401, 403, 404, 410})


def _nothing() -> str | None:
    return None


class WebFile:
    """One file. Where its URL redirects to is remembered, and asked again when that place refuses: signed addresses expire.

    ``authorization`` returns the header's value when a request is made, so that no token is kept longer.
    """

    parallel = PARALLEL

    def __init__(self, url: str, authorization: Callable[[], str | None] = _nothing) -> None:
        self.url = http.check_url(url)
        self._authorization = authorization
        self._at: str | None = None

    @contextmanager
    def read(self, start: int = 0, end: int | None = None) -> Iterator[Stream]:
        """Read a range; an origin that ignores it is read from 0. Only a 206 with the very range asked for is taken as a part."""
        headers = {"Range": f"bytes={start}-{'' if end is None else end - 1}"} if start or end is not None else {}
        with ExitStack() as stack:
            response = self._open(stack, headers)
            begin, size = _extent(self.url, response.status, response.headers, start, end)
            yield Stream(begin, size, _watched(self.url, response.chunks()))

    def _open(self, stack: ExitStack, headers: Mapping[str, str]) -> http.Response:
        if at := self._at:
            try:
                return stack.enter_context(http.get(at, headers, shown=self.url))
            except http.Refused as error:
                if error.status not in _EXPIRED:
                    raise
                self._at = None
        response = stack.enter_context(http.get(self.url, headers, authorization=self._authorization()))
        if http.origin_of(response.at) != http.origin_of(self.url):
            self._at = response.at
        return response


def _extent(url: str, status: int, headers: Mapping[str, str], start: int, end: int | None) -> tuple[int, int | None]:
    """Return where the body begins and the whole file's size."""
    if status != 206:
        length = headers.get("content-length", "")
        return 0, int(length) if _LENGTH.fullmatch(length) else None
    said = headers.get("content-range", "")
    found = _RANGE.fullmatch(said)
    if not found or int(found[1]) != start or int(found[2]) < start or (end is not None and int(found[2]) >= end):
        hint = "it can't be fetched in parts: take another origin or a mirror"
        raise NetworkError(f"{url}: asked for bytes from {start}, the origin sent {said!r}", hint=hint)
    return start, None if found[3] == "*" else int(found[3])


def _watched(url: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the chunks; a server that only drips is given up. The time that the reader takes is not the server's."""
    waited, came = 0.0, 0
    while True:
        began = time.monotonic()
        chunk = next(chunks, None)
        waited += time.monotonic() - began
        if chunk is None:
            return
        yield chunk
        came += len(chunk)
        if waited >= _PER_SECONDS:
            if came < _LEAST_BYTES:
                said = f"{url}: only {came} bytes came in {waited:.0f} s"
                raise NetworkError(said, hint="run the command again", transient=True)
            waited, came = 0.0, 0
