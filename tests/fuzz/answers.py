"""The answer to a request that chance made, as it came over the wire, and what is wrong with it."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httptools


@dataclass
class Said:
    """An answer as it came. ``whole``: up to its end."""

    status: int = 0
    body: bytearray = field(default_factory=bytearray)
    whole: bool = False
    head: bool = False
    fault: str = ""

    parser: Any = None

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self.status = self.parser.get_status_code()
        self.head = self.status >= 200

    def on_body(self, piece: bytes) -> None:
        """Called by the parser."""
        self.body += piece

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self.whole = self.status >= 200


def exchange(address: tuple[str, int], raw: bytes, within: float = 30.0) -> Said:
    """Send a request, and read one answer."""
    said = Said()
    said.parser = parser = httptools.HttpResponseParser(said)
    only_head = raw.startswith(b"HEAD ")
    with socket.create_connection(address, within) as one:
        with suppress(OSError):  # it was refused before all of it was sent; the answer is there
            one.sendall(raw)
        try:
            while not said.whole and not (only_head and said.head):
                piece = one.recv(65536)
                if not piece:
                    break
                parser.feed_data(piece)
        except TimeoutError:
            said.fault = f"nothing came for {within:g} s"
        except ConnectionResetError:
            said.fault = "the connection was reset"
        except httptools.HttpParserError as error:
            said.fault = f"the answer is not HTTP: {error}"
    said.whole = said.whole or (only_head and said.head)
    return said


def fault_of(said: Said) -> str:
    """Return what is wrong with the answer to a request that may be wrong in any way; "" for nothing.

    501 is what llama-server says of what the model can't do, 505 what the door says of other versions of HTTP.
    """
    if said.fault:
        return said.fault
    if not said.whole:
        return "the answer has no end"
    if said.status >= 500 and said.status not in (501, 505):
        return f"a {said.status}: {bytes(said.body[:500])!r}"
    if b'"type":"server_error"' in said.body or b'"code":"engine_failed"' in said.body.replace(b" ", b""):
        return f"a fault of the server within a stream: {bytes(said.body[-500:])!r}"
    return ""
