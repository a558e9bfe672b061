"""One request to a llama-server, and its answer as it comes."""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol, cast

import httptools

from pipeline.deploy.door.model import Upstream

_AGAIN = 0.01


class Broken(Exception):
    """The engine could not be reached, died, or did not speak HTTP."""


class Sink(Protocol):
    """What takes an answer."""

    def begin(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Status and headers are there; names in lower case."""

    def data(self, piece: bytes) -> None:
        """A piece of the body."""


class Stream(asyncio.Protocol):
    """A connection of its own to an engine, for one request: llama-server closes it after a stream without saying so.

    Closing it is how the engine learns that nobody listens any more: it then frees the slot.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[str, str]] = []
        self._transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Hand on what came."""
        self.heard = asyncio.get_running_loop().time()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._end(Broken(f"the engine does not speak HTTP: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever waits."""
        self._end(Broken("the engine went away in the middle of its answer"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """All headers; an interim answer is none."""
        status = self._parser.get_status_code()
        if status >= 200:
            self._sink.begin(status, self._headers)
        self._headers = []

    def on_body(self, piece: bytes) -> None:
        """A piece of the body, without its framing."""
        self._sink.data(piece)

    def on_message_complete(self) -> None:
        """The end of the answer."""
        if self._parser.get_status_code() >= 200:
            self._end(None)

    def pause(self) -> None:
        """Read no more for now."""
        if self._transport and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport and not self._transport.is_closing():
            self._transport.resume_reading()

    def _end(self, error: Broken | None) -> None:
        if self.ended.done():
            return
        if error:
            self.ended.set_exception(error)
        else:
            self.ended.set_result(None)


def request_bytes(upstream: Upstream, method: str, path: str, body: bytes, kind: str = "") -> bytes:
    """Return a request as it goes to an engine: made anew, so nothing of how a client framed or named things reaches it."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {upstream.key}",
        "Connection: close",
        *([f"Content-Type: {kind or 'application/json'}", f"Content-Length: {len(body)}"] if method == "POST" else []),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


async def ask(upstream: Upstream, request: bytes, stream: Stream, silence: float) -> None:
    """Send a request and let the stream take the answer until its end.

    Raises Broken when the engine fails or says nothing for ``silence`` seconds. However this ends, the connection is
    closed then.
    """
    loop = asyncio.get_running_loop()
    try:
        line, sent = await _sent(str(upstream.socket), request, loop.time() + silence)
        try:
            transport, _ = await loop.create_unix_connection(lambda: stream, sock=line)
        except BaseException:
            line.close()
            raise
    except OSError as error:
        raise Broken(f"the engine can't be reached: {error.strerror or error}") from None
    try:
        if sent < len(request):
            transport.write(request[sent:])
        stream.heard = loop.time()
        while not stream.ended.done():
            left = stream.heard + silence - loop.time()
            if left <= 0:
                raise Broken(f"the engine said nothing for {silence:g} s")
            await asyncio.wait([stream.ended], timeout=left)
        stream.ended.result()
    finally:
        stream.ended.cancel()
        transport.abort()


async def _sent(path: str, request: bytes, until: float) -> tuple[socket.socket, int]:
    """Connect, and send what goes at once; returns how much that is. No turn of the loop lies between: of requests that come together
    the first is at the engine before the next one is looked at. Raises OSError.
    """
    while True:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.setblocking(False)
        try:
            line.connect(path)
            return line, line.send(request)
        except BlockingIOError:  # more wait to be let in than the engine's socket holds
            line.close()
            if asyncio.get_running_loop().time() > until:
                raise
        except OSError:
            line.close()
            raise
        await asyncio.sleep(_AGAIN)


class Whole:
    """A sink that keeps a small answer."""

    def __init__(self, most: int = 1 << 20) -> None:
        self.status, self._most, self.body = 0, most, bytearray()

    def begin(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Keep the status."""
        self.status = status

    def data(self, piece: bytes) -> None:
        """Keep a piece, up to the bound."""
        if len(self.body) < self._most:
            self.body += piece


async def fetch(upstream: Upstream, path: str, within: float) -> str | None:
    """Return what an engine answers to a GET, None when it doesn't in time."""
    sink = Whole()
    try:
        request = request_bytes(upstream, "GET", path, b"")
        await asyncio.wait_for(ask(upstream, request, Stream(sink), within), within)
    except (Broken, TimeoutError):
        return None
    return sink.body.decode(errors="replace") if sink.status == 200 else None
