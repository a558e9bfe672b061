"""A slow OpenAI-compatible server on loopback, whose every event is timed where it is written."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

DONE = "data: [DONE]\n\n"


def event(content: str | None = None, **more: Any) -> str:
    """Return one chunk of a chat completion as it goes over the wire."""
    delta = {"role": "assistant", "content": None} if content is None else {"content": content}
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta, 'finish_reason': None}], **more})}\n\n"


def usage(tokens: int) -> str:
    """Return the last chunk, which carries the counts and no choice."""
    counts = {"completion_tokens": tokens, "prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 2}}
    return f"data: {json.dumps({'choices': [], 'usage': counts})}\n\n"


@dataclass
class Script:
    """What the server answers: (pause before it in seconds, text) after text. ``status`` counts requests from 0; no more
    than ``at_once`` are worked on at a time.
    """

    steps: list[tuple[float, str]]
    failing: tuple[int, ...] = ()
    abrupt: bool = False
    at_once: int = 1000
    bodies: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    written: list[float] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def served(script: Script) -> Iterator[httpx.Client]:
    """Serve ``script`` while the context lasts; yields a client."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/tokenize":
                answer = json.dumps({"tokens": body["content"].split()}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                return
            with script.lock:
                number = len(script.bodies)
                script.bodies.append(body)
                script.paths.append(self.path)
                script.in_flight += 1
                script.most_in_flight = max(script.most_in_flight, script.in_flight)
            try:
                with slots:
                    self.answer(number)
            except (BrokenPipeError, ConnectionResetError):
                pass
            finally:
                with script.lock:
                    script.in_flight -= 1

        def answer(self, number: int) -> None:
            self.close_connection = True
            if number in script.failing:
                self.send_response(503)
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"busy")
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for pause, text in script.steps:
                time.sleep(pause)
                self.wfile.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())
                self.wfile.flush()
                script.written.append(time.perf_counter())
            if not script.abrupt:
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    slots = threading.Semaphore(script.at_once)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}", trust_env=False) as client:
            yield client
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
