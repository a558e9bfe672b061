"""A real HTTP server on loopback that behaves as told: well, without ranges, cut short, slow, lying."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_PIECE, _STEP = 16 << 10, 128 << 10


@dataclass
class Answer:
    """How one path is answered. ``cut`` ends the connection after so many bytes of the body; ``pause`` is seconds before
    every 16 KiB, ``delay`` before the answer, ``rate`` the bytes a second of each connection; ``headers`` replace those that would be
    sent, None leaves one out. ``file`` stands in for ``content``, and is sent by the kernel where there is no ``rate``. ``turn`` is asked
    first, with how often the path was asked for before and the Range header: it returns another answer, or None.
    """

    content: bytes = b""
    ranges: bool = True
    status: int | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    cut: int | None = None
    pause: float = 0.0
    delay: float = 0.0
    rate: int | None = None
    file: Path | None = None
    turn: Callable[[int, str | None], Answer | None] | None = None

    @property
    def size(self) -> int:
        return self.file.stat().st_size if self.file else len(self.content)

    def part(self, start: int, end: int) -> bytes:
        """Return some of the bytes."""
        if not self.file:
            return self.content[start:end]
        with self.file.open("rb") as opened:
            opened.seek(start)
            return opened.read(end - start)


class Origin(ThreadingHTTPServer):
    """``answers`` by path; ``asked`` are the paths with their Range headers, ``credentials`` what was in
    their Authorization; ``sent`` counts bytes of bodies; ``busiest`` is how many
    bodies were on their way at the same time; ``port`` 0 takes any.
    """

    daemon_threads = True

    request_queue_size = 64

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.credentials: list[str | None] = []
        self.sent = 0
        self.busy = self.busiest = 0
        self.lock = threading.Lock()

    def put(self, path: str, content: bytes = b"", **how: Any) -> str:
        """Answer ``path`` so from now on; returns its URL."""
        self.answers[path] = Answer(content, **how)
        return f"http://127.0.0.1:{self.server_port}{path}"

    def forget(self) -> None:
        """Answer nothing any more, and begin to count anew."""
        self.answers.clear()
        self.asked.clear()
        self.credentials.clear()
        self.sent = self.busiest = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # clients may go away
            super().handle_error(request, client_address)


@contextmanager
def origin() -> Iterator[Origin]:
    """Run an origin for as long as the block lasts."""
    server = Origin()
    with served(server):
        yield server


@contextmanager
def served(*servers: ThreadingHTTPServer) -> Iterator[None]:
    """Let servers answer for as long as the block lasts, then close them."""
    threads = [threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02}) for one in servers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Origin

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        with self.server.lock:
            before = sum(path == self.path for path, _ in self.server.asked)
            self.server.asked.append((self.path, wanted))
            self.server.credentials.append(self.headers.get("Authorization"))
        answer = self.server.answers.get(self.path, Answer(status=404))
        answer = (answer.turn and answer.turn(before, wanted)) or answer
        time.sleep(answer.delay)
        total, start, end, status = answer.size, 0, answer.size, answer.status or 200
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
        with self.server.lock:
            self.server.busy += 1
            self.server.busiest = max(self.server.busy, self.server.busiest)
        try:
            self._body(answer, start, end if answer.cut is None else min(end, start + answer.cut))
        finally:
            with self.server.lock:
                self.server.busy -= 1

    def _body(self, answer: Answer, start: int, end: int) -> None:
        step = _STEP if answer.rate or answer.file else _PIECE
        began, at = time.monotonic(), start
        with suppress(ConnectionError):
            while at < end:
                time.sleep(answer.pause)
                size = min(step, end - at)
                if answer.file and not answer.rate:
                    self.wfile.flush()
                    with answer.file.open("rb") as opened:
                        size = os.sendfile(self.connection.fileno(), opened.fileno(), at, end - at)
                else:
                    self.wfile.write(answer.part(at, at + size))
                at += size
                with self.server.lock:
                    self.server.sent += size
                if answer.rate:
                    time.sleep(max(0.0, began + (at - start) / answer.rate - time.monotonic()))

    def log_message(self, format: str, *args: Any) -> None:
        pass
