"""A GGUF header from any source, in growing ranges: the weights behind it are never transferred."""

from __future__ import annotations

from pipeline.core.errors import NetworkError
from pipeline.core.http import persist
from pipeline.gguf.header import MAX_HEADER, Header, HeaderCut, parse_header
from pipeline.spec.sources._base import Remote

_FIRST = 1 << 20


def read_remote_header(remote: Remote, url: str, size: int) -> Header:
    """Read the header of ``url``, a file of ``size`` bytes, and nothing more once it is known to be malformed. Raises GgufError,
    NetworkError, UsageError.
    """
    data, most = bytearray(), min(size, MAX_HEADER)
    want = min(_FIRST, most)
    while True:
        _extend(data, remote, want)
        if len(data) < want:
            raise NetworkError(
                f"{url}: the transfer ended after {len(data)} of {want} bytes", hint="run the command again"
            )
        try:
            return parse_header(bytes(data), size, name=url)
        except HeaderCut as cut:
            if want == most:
                raise
            want = min(max(4 * want, cut.wanted), most)


def _extend(data: bytearray, remote: Remote, want: int) -> None:
    """Read on until ``data`` has ``want`` bytes, or the stream ends."""

    def once() -> None:
        with remote.read(len(data), want) as stream:
            if stream.start == 0:
                data.clear()
            for chunk in stream.chunks:
                data.extend(chunk[: want - len(data)])
                if len(data) == want:
                    return

    persist(once)
