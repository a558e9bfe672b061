"""Servers on loopback that misbehave as told, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

Reply = Callable[["Handler", dict[str, Any]], object]


class Handler(BaseHTTPRequestHandler):
    """Answers ``/health`` and ``/props`` soundly, chat completions as the test says."""

    protocol_version = "HTTP/1.1"
    server: Scripted

    def do_GET(self) -> None:
        if not self.server.healthy:
            self.send_json({"error": {"message": "gone"}}, 503)
        elif self.path == "/props":
            self.send_json({"chat_template_caps": self.server.caps, "chat_template": self.server.template})
        else:
            self.send_json({"status": "ok"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        self.server.answer(self, body)

    def send_json(self, value: Any, status: int = 200) -> None:
        self.send_text(json.dumps(value), status, "application/json")

    def send_text(self, text: str, status: int = 200, kind: str = "text/plain") -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def send_part(self, text: str, promised: int) -> None:
        """Send less than the header promises, then hang up."""
        self.send_response(200)
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        self.wfile.write(text.encode())
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class Scripted(ThreadingHTTPServer):
    """The server; ``requests`` are the bodies that came."""

    daemon_threads = True

    def __init__(self, answer: Reply) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.healthy = answer, True
        self.caps: dict[str, bool] = {"supports_tools": True}
        self.template = ""
        self.requests: list[dict[str, Any]] = []
        self.stopping = threading.Event()


@contextmanager
def scripted(answer: Reply) -> Iterator[tuple[Scripted, httpx.Client]]:
    """Run a server that answers chat completions with ``answer``, and a client for it."""
    server = Scripted(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}", trust_env=False) as client:
            yield server, client
    finally:
        server.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()


def completion(
    content: str | None = "OK", *, finish: str = "stop", calls: list[dict[str, Any]] | None = None, tokens: int = 3
) -> dict[str, Any]:
    """A whole answer as llama-server gives it."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = calls
    return {
        "choices": [{"finish_reason": finish, "index": 0, "message": message}],
        "created": 1795263904,
        "model": "tiny-chat",
        "system_fingerprint": "b1-0c1e570",
        "object": "chat.completion",
        "usage": {"completion_tokens": tokens, "prompt_tokens": 10, "total_tokens": 10 + tokens},
        "id": "chatcmpl-Pg9jBCYqPHSdBeVHhrtKWt3pWnpXo2g0",
    }


def call(name: str, arguments: str, id: str = "K9GiumWmp95DreJUiFNBh5STTk1Xjgxy") -> dict[str, Any]:
    """One call of a whole answer."""
    return {"type": "function", "function": {"name": name, "arguments": arguments}, "id": id}


def sse(*deltas: dict[str, Any], finish: str = "stop", done: bool = True) -> str:
    """A streamed answer as llama-server gives it."""
    chunks: list[dict[str, Any]] = [
        {"choices": [{"finish_reason": None, "index": 0, "delta": delta}]} for delta in deltas
    ]
    chunks.append({"choices": [{"finish_reason": finish, "index": 0, "delta": {}}]})
    chunks.append({"choices": [], "usage": {"completion_tokens": len(deltas)}})
    text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    return text + ("data: [DONE]\n\n" if done else "")
