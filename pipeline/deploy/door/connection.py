"""A client's connection: requests in, answers out, and every wait bounded.

Parsed by llhttp (Node's parser, through httptools) in its strict mode, which refuses whatever two servers could read
differently: a length beside chunks, two lengths, folded headers, bare line feeds. Requests are read one at a time; the
bytes that follow wait, and a client that sends several at once is answered once and then disconnected.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

import httptools

from pipeline.deploy.door.answers import Answer, Headers, Refusal, head
from pipeline.deploy.door.engine import Stream
from pipeline.deploy.door.model import Limits
from pipeline.deploy.door.request import Request, too_large

_EARLY = 64 << 10
_PATIENCE = 1.0
_LINGER = 2.0
_HIGH_WATER = 256 << 10


class Desk(Protocol):
    """What a connection turns to: the door."""

    limits: Limits
    held: int

    def joined(self, one: Connection) -> bool:
        """A client has come; False when there are too many."""

    def left(self, one: Connection) -> None:
        """It has gone."""

    def admit(self, one: Connection, request: Request) -> None:
        """The head of a request is there. Raises Refusal."""

    def refused(self, one: Connection, request: Request, answer: Answer) -> None:
        """A request was refused before it was whole."""

    async def handle(self, one: Connection, request: Request) -> None:
        """Answer a whole request. Is cancelled when the client goes."""


class Connection(asyncio.Protocol):
    """One client. ``source`` is the stream that is being passed on: it pauses while the client does not read."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._loop = desk, asyncio.get_running_loop()
        self._limits = desk.limits
        self._parser = httptools.HttpRequestParser(self)
        self._request: Request | None = None
        self._head_size = 0
        self._early = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._ahead: asyncio.TimerHandle | None = None
        self._last = self._deaf = self._chunked = self._bare = False
        self.task: asyncio.Task[None] | None = None
        self.source: Stream | None = None
        self.client = ""
        self.sent, self.begun = 0, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        peer = transport.get_extra_info("peername")
        self.client = str(peer[0]) if isinstance(peer, tuple) else "local"
        if self._desk.joined(self):
            self._expect(self._limits.head, self.close)
        else:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """Free everything at once."""
        for timer in (self._timer, self._stall, self._ahead):
            if timer:
                timer.cancel()
        self._forget_body()
        if self.task:
            self.task.cancel()
        self._desk.left(self)

    def data_received(self, data: bytes) -> None:
        """Read on, or keep what comes while a request is being answered."""
        if self._deaf:
            return
        if self.task:
            self._early += data
            if len(self._early) > _EARLY and not self._ahead:
                # A quick client has all of its answer before the loop has told us so: its next request waits. One that sends on
                # during an answer is broken off.
                self._transport.pause_reading()
                self._ahead = self._loop.call_later(_PATIENCE, self._transport.abort)
            return
        self._feed(data)

    def _feed(self, data: bytes) -> None:
        if not self._head_size:
            self._expect(self._limits.head, self._too_slow)
        in_head = self._request is None
        self._head_size += len(data)
        try:
            self._parser.feed_data(data)
            if in_head and self._request is None and self._head_size > self._limits.head_size:
                raise Refusal(431, "head_too_large", "the head of the request is too large")
        except httptools.HttpParserUpgrade:
            self._last = True  # h2c and the like: answered as if it had not asked
        except Refusal as refusal:
            self._refuse(refusal)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            if not isinstance(cause, Refusal):
                raise
            self._refuse(cause)
        except httptools.HttpParserError as error:
            if not self.task:
                self._refuse(Refusal(400, "bad_http", f"the request is not well-formed HTTP/1.1: {error}"))
            self._last = True

    def on_message_begin(self) -> None:
        """A request begins; another one is not read before that one is answered."""
        if self.task:
            self._last = True
        else:
            self._draft = Request()

    def on_url(self, piece: bytes) -> None:
        """A piece of the target."""
        if not self.task:
            self._draft.target += piece.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        if not self.task:
            self._draft.add(name, value)

    def on_headers_complete(self) -> None:
        """The head is there: whether the body is wanted is decided now."""
        if self.task:
            return
        request = self._request = self._draft
        request.method = self._parser.get_method().decode("latin-1")
        version = self._parser.get_http_version()
        request.old = version == "1.0"
        if version not in ("1.0", "1.1"):
            raise Refusal(505, "bad_http", "this server speaks HTTP/1.1")
        self._desk.admit(self, request)
        if request.has_body:
            self._expect(self._limits.body, self._too_slow)
            if request.headers.get("expect", "").lower() == "100-continue" and not request.old:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        request = self._request
        if self.task or request is None:
            return
        request.body += piece
        self._desk.held += len(piece)
        if len(request.body) > self._limits.body_size:
            raise too_large(self._limits.body_size)
        if self._desk.held > self._limits.bodies_size:
            raise Refusal(429, "bodies_too_large", "too much is being sent at a time", [("Retry-After", "1")])

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self.task or self._request is None:
            return
        self._expect(None)
        self._last = self._last or not self._parser.should_keep_alive()
        self.sent, self.begun = 0, False
        self.task = self._loop.create_task(self._desk.handle(self, self._request))
        self.task.add_done_callback(self._answered)

    def answer(self, answer: Answer, extra: Headers = ()) -> None:
        """Send a whole answer."""
        self.begin(answer.status, [("Content-Type", answer.kind), *answer.headers, *extra], len(answer.body))
        self.data(answer.body)
        self.finish()

    def begin(self, status: int, headers: Headers, length: int | None) -> None:
        """Send the head of an answer; of what ``length`` its body is, None if that shows at its end."""
        request = self._request
        old = request is not None and request.old
        self._bare = request is not None and request.method == "HEAD"
        self._chunked = length is None and not old
        self._last = self._last or old
        framing = [("Transfer-Encoding", "chunked")] if self._chunked else []
        if length is not None and status != 204:
            framing = [("Content-Length", str(length))]
        closing = [("Connection", "close")] if self._last else []
        self.begun = True
        self._transport.write(head(status, [*headers, *framing, *closing]))

    def data(self, piece: bytes) -> None:
        """Send a piece of the body."""
        self.sent += len(piece)
        if piece and not self._bare:
            self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)

    def finish(self) -> None:
        """End the body."""
        if self._chunked and not self._bare:
            self._transport.write(b"0\r\n\r\n")

    def last(self) -> None:
        """Close the connection after this answer, or now if there is none to give."""
        self._last = True
        if self._request is None and not self._head_size:
            self.close()

    def close(self) -> None:
        """Send what is there, then close; a client that does not read has ``stall`` seconds for it."""
        self._deaf = True
        self._expect(self._limits.stall, self._transport.abort)
        self._transport.close()

    def abort(self) -> None:
        """Break off now; what was not sent yet is lost."""
        self._transport.abort()

    def cut(self) -> None:
        """Break off, so that nobody takes what was sent for a whole answer: without its end, or without what was told."""
        if self._request and self._request.old:
            self._transport.abort()  # there the end of a body is that of its connection
        else:
            self.close()

    def pause_writing(self) -> None:
        """The client reads more slowly than the engine writes."""
        self._stall = self._loop.call_later(self._limits.stall, self._transport.abort)
        if self.source:
            self.source.pause()

    def resume_writing(self) -> None:
        """It has read."""
        if self._stall:
            self._stall.cancel()
            self._stall = None
        if self.source:
            self.source.resume()

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._forget_body()
        self._request, self.task, self._head_size = None, None, 0
        if self._transport.is_closing():
            return
        if not task.cancelled() and task.exception() is not None:
            self._transport.abort()
            raise task.exception()  # type: ignore[misc]
        if self._ahead:
            self._ahead.cancel()
            self._ahead = None
            self._transport.resume_reading()
        if self._last:
            self.close()
            return
        self._expect(self._limits.idle, self.close)
        if self._early:
            early, self._early = bytes(self._early), bytearray()
            self._feed(early)

    def _refuse(self, refusal: Refusal) -> None:
        """Answer at once, hear the rest for a moment so that the answer is not lost, and close."""
        request = self._request or Request()
        self._forget_body()
        self._last = self._deaf = True
        self._desk.refused(self, request, refusal.answer)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._expect(_LINGER, self.close)

    def _too_slow(self) -> None:
        self._refuse(Refusal(408, "too_slow", "the request did not come in time"))

    def _expect(self, seconds: float | None, otherwise: object = None) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, otherwise) if seconds and callable(otherwise) else None

    def _forget_body(self) -> None:
        if self._request:
            self._desk.held -= len(self._request.body)
            self._request.body = bytearray()
