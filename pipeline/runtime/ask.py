"""Send one request to ``/v1/chat/completions`` (or ``/v1/completions``) and bring the answer back, whatever the server does:
errors become values.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from pipeline.runtime.answer import Answer, Trouble, read_plain, read_whole
from pipeline.runtime.stream import assemble, events

PATH = "/v1/chat/completions"
PLAIN = "/v1/completions"
LARGEST = 8 << 20
# llama-server closes a connection after a stream; a client that keeps it would take the next request's failure for a crash.
HEADERS = {"Connection": "close"}
HEALTH_SECONDS = 5.0
_TEMPLATE = ("jinja", "template")
# The engine makes grammars of schemas; one that it can't, it refuses.
_SCHEMA = ("schema", "grammar")


class _TooMuch(Exception):
    """The server sends without end."""


def ask(client: httpx.Client, body: dict[str, Any], *, timeout: float) -> Answer:
    """Ask for a whole answer; at most ``timeout`` seconds pass between the request and the last byte, and as long before the first."""
    return _send(client, {**body, "stream": False}, timeout)


def ask_stream(client: httpx.Client, body: dict[str, Any], *, timeout: float) -> Answer:
    """Ask for a streamed answer and put it together again."""
    return _send(client, {**body, "stream": True, "stream_options": {"include_usage": True}}, timeout)


def complete(client: httpx.Client, body: dict[str, Any], *, timeout: float) -> Answer:
    """Ask for the continuation of a plain text, the body's ``prompt``: no chat template has a part in it."""
    return _send(client, {**body, "stream": False}, timeout, PLAIN)


def healthy(client: httpx.Client) -> bool:
    """Return whether ``/health`` answers 200 within a few seconds."""
    try:
        return client.get("/health", headers=HEADERS, timeout=HEALTH_SECONDS).status_code == 200
    except (httpx.HTTPError, OSError):
        return False


def properties(client: httpx.Client) -> dict[str, Any]:
    """Return what llama-server says of itself and of the model (``/props``); empty where it doesn't say."""
    try:
        said = client.get("/props", headers=HEADERS, timeout=HEALTH_SECONDS).json()
    except (httpx.HTTPError, OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def template_caps(client: httpx.Client) -> dict[str, Any]:
    """Return what llama-server says that the chat template can do (``chat_template_caps`` of ``/props``); empty where it doesn't say."""
    caps = properties(client).get("chat_template_caps")
    return caps if isinstance(caps, dict) else {}


def post(client: httpx.Client, path: str, body: dict[str, Any], *, timeout: float) -> dict[str, Any] | Trouble:
    """Ask another endpoint of the server; return the object that it answers, or why there is none."""
    limits = httpx.Timeout(timeout, connect=min(timeout, HEALTH_SECONDS))
    try:
        with client.stream("POST", path, json=body, headers=HEADERS, timeout=limits) as response:
            content = b"".join(_bounded(response, time.monotonic() + timeout))
            if response.status_code != 200:
                return _refused(response.status_code, content).trouble or Trouble("http_error", "")
            said = json.loads(content)
    except (_TooMuch, httpx.TimeoutException):
        return Trouble("timeout", f"no answer of {path} within {timeout:g} seconds")
    except (httpx.HTTPError, OSError) as error:
        return Trouble("server_crash", f"the connection to {path} broke: {error or type(error).__name__}")
    except (ValueError, RecursionError):
        return Trouble("protocol", f"what {path} answers is not JSON")
    return said if isinstance(said, dict) else Trouble("protocol", f"what {path} answers is no object")


def _send(client: httpx.Client, body: dict[str, Any], timeout: float, path: str = PATH) -> Answer:
    limits = httpx.Timeout(timeout, connect=min(timeout, HEALTH_SECONDS))
    try:
        with client.stream("POST", path, json=body, headers=HEADERS, timeout=limits) as response:
            parts = _bounded(response, time.monotonic() + timeout)
            if response.status_code != 200:
                return _refused(response.status_code, b"".join(parts))
            if body["stream"]:
                return _streamed(parts)
            return _whole(b"".join(parts), read_whole if path == PATH else read_plain)
    except _TooMuch as stop:
        return Answer(trouble=Trouble("timeout", str(stop)))
    except httpx.TimeoutException:
        return Answer(trouble=Trouble("timeout", f"no answer within {timeout:g} seconds"))
    except (httpx.HTTPError, OSError) as error:
        return Answer(trouble=Trouble("server_crash", f"the connection broke: {error or type(error).__name__}"))


def _bounded(response: httpx.Response, deadline: float) -> Iterator[bytes]:
    size = 0
    for part in response.iter_bytes():
        size += len(part)
        if time.monotonic() > deadline:
            raise _TooMuch("the answer did not end in time")
        if size > LARGEST:
            raise _TooMuch(f"the answer is larger than {LARGEST >> 20} MiB")
        yield part


def _whole(content: bytes, read: Callable[[Any, dict[str, Any]], Answer]) -> Answer:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raw = {"status": 200, "body": content[:2000].decode(errors="replace")}
        return Answer(trouble=Trouble("protocol", "the body is not JSON"), raw=raw)
    return read(body, {"status": 200, "body": body})


def _streamed(parts: Iterator[bytes]) -> Answer:
    """Keep what came before a stream broke: it is the evidence."""
    received, broken = bytearray(), ""
    try:
        for part in parts:
            received += part
    except httpx.TimeoutException:
        raise
    except (httpx.HTTPError, OSError) as error:
        broken = str(error) or type(error).__name__
    # Lines of bytes: those of text end at U+2028 and the like as well, which may stand in an answer.
    answer = assemble(events(line.decode(errors="replace") for line in received.splitlines()))
    if broken and not answer.trouble:
        answer = Answer(**{**vars(answer), "trouble": Trouble("server_crash", f"the connection broke: {broken}")})
    return answer


def _refused(status: int, content: bytes) -> Answer:
    text = content[:4000].decode(errors="replace")
    try:
        parsed = json.loads(content)
        message = str(parsed["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        parsed, message = text, text
    words = f"the server answered {status}: {' '.join(message.split())[:300] or 'nothing'}"
    if any(word in message.lower() for word in _SCHEMA):
        trouble = Trouble("engine_limit", words)
    else:
        trouble = Trouble("http_error", words, any(word in message.lower() for word in _TEMPLATE))
    return Answer(trouble=trouble, raw={"status": status, "body": parsed})
