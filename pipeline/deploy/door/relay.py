"""Pass an engine's answer to a client, byte for byte, as it comes."""

from __future__ import annotations

import time

from pipeline.deploy.door.answers import Answer, Headers, error_body
from pipeline.deploy.door.blame import of_request
from pipeline.deploy.door.connection import Connection
from pipeline.deploy.door.engine import Broken, Stream, ask
from pipeline.deploy.door.log import Entry
from pipeline.deploy.door.model import Upstream
from pipeline.deploy.door.tokens import TAIL, counted

# What belongs to the engine's connection, or is ours to say.
_KEPT_BACK = frozenset(
    "connection keep-alive proxy-connection transfer-encoding te trailer upgrade content-length server vary x-request-id".split()
)
_SMALL = 64 << 10


class Relay:
    """The sink of one exchange. What the engine answers with 500 but blames on the request goes out as 400, with the
    engine's message.
    """

    def __init__(self, client: Connection, entry: Entry, extra: Headers, began: float) -> None:
        self._client, self._entry, self._extra, self._began = client, entry, extra, began
        self._tail = b""
        self._held: bytearray | None = None
        self._headers: list[tuple[str, str]] = []
        self._events = False

    def begin(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Pass the head on."""
        self._entry.status = status
        said = dict(headers)
        length = said.get("content-length", "")
        self._events = said.get("content-type", "").startswith("text/event-stream")
        self._headers = [
            one for one in headers if one[0] not in _KEPT_BACK and not one[0].startswith("access-control-")
        ]
        known = int(length) if length.isdigit() else None
        if status == 500 and known is not None and known <= _SMALL:
            self._held = bytearray()
        else:
            self._client.begin(status, [*self._headers, *self._extra], known)

    def data(self, piece: bytes) -> None:
        """Pass a piece on."""
        if self._entry.first is None:
            self._entry.first = time.monotonic() - self._began
        if self._held is not None:
            self._held += piece
            return
        self._tail = piece if len(piece) >= TAIL else (self._tail + piece)[-TAIL:]
        self._client.data(piece)

    async def run(self, upstream: Upstream, request: bytes, silence: float) -> None:
        """Ask the engine; the answer is with the client when this returns, or the connection is broken off."""
        stream = self._client.source = Stream(self)
        try:
            await ask(upstream, request, stream, silence)
        except Broken as error:
            self._broken(str(error))
            return
        finally:
            self._client.source = None
        self._entry.end = "whole"
        self._entry.prompt_tokens, self._entry.completion_tokens = counted(self._tail)
        if self._held is not None:
            self._judged(bytes(self._held))
        else:
            self._client.finish()

    def _judged(self, body: bytes) -> None:
        status = 500
        if (message := of_request(body)) is not None:
            status = self._entry.status = 400
            self._entry.reason = "bad_request"
            body = error_body(400, "bad_request", message)
        self._client.begin(status, [*self._headers, *self._extra], len(body))
        self._client.data(body)
        self._client.finish()

    def _broken(self, why: str) -> None:
        self._entry.end, self._entry.reason = "engine failed", "engine_failed"
        if not self._client.begun:
            self._entry.status = 502
            body = error_body(502, "engine_failed", why)
            self._client.answer(Answer(502, body, [("Retry-After", "1")]), self._extra)
            return
        if self._events and (not self._tail or self._tail.endswith(b"\n\n")):
            # For clients that know events but not a broken connection. The body stays without its end.
            self._client.data(b"data: " + error_body(502, "engine_failed", why) + b"\n\n")
        self._client.cut()
