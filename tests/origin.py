"""A real HTTP server on loopback that behaves as told: well, without ranges, cut short, slow, lying."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PIECE = 16 << 10


@dataclass
class Answer:
    """How one path is answered. ``cut`` ends the connection after so many bytes of the body; ``pause`` is seconds before
    every 16 KiB; ``headers`` replace those that would be sent, None leaves one out.
    """

    content: bytes = b""
    ranges: bool = True
    status: int | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    cut: int | None = None
    pause: float = 0.0


class Origin(ThreadingHTTPServer):
    """``answers`` by path; ``asked`` are the paths with their Range headers; ``sent`` counts bytes of bodies."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.sent = 0

    def put(self, path: str, content: bytes = b"", **how: Any) -> str:
        """Answer ``path`` so from now on; returns its URL."""
        self.answers[path] = Answer(content, **how)
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # clients may go away
            super().handle_error(request, client_address)


@contextmanager
def origin() -> Iterator[Origin]:
    """Run an origin for as long as the block lasts."""
    with Origin() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Origin

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        answer = self.server.answers.get(self.path, Answer(status=404))
        total, start, end, status = len(answer.content), 0, len(answer.content), answer.status or 200
        headers: dict[str, str | None] = {}
        if answer.ranges and answer.status is None and wanted:
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
            assert found
            start, end = int(found[1]), min(total, int(found[2] or total) + 1)
            if start >= total:
                status, start, end = 416, 0, 0
                headers["Content-Range"] = f"bytes */{total}"
            else:
                status = 206
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{total}"
        headers = {"Content-Length": str(end - start), **headers, **answer.headers}
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        if answer.cut is not None or headers["Content-Length"] is None:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        self._body(answer, answer.content[start:end][: answer.cut])

    def _body(self, answer: Answer, body: bytes) -> None:
        with suppress(ConnectionError):
            for at in range(0, len(body), _PIECE):
                time.sleep(answer.pause)
                piece = body[at : at + _PIECE]
                self.server.sent += len(piece)
                self.wfile.write(piece)

    def log_message(self, format: str, *args: Any) -> None:
        pass
