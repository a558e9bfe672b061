"""What the door itself answers: JSON in the shape that clients of OpenAI and of Anthropic both take for an error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

Headers = Sequence[tuple[str, str]]
_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}


@dataclass(frozen=True)
class Answer:
    """A whole answer. ``reason`` names a refusal in the log and the metrics, "" for none."""

    status: int
    body: bytes
    headers: Headers = ()
    kind: str = "application/json"
    reason: str = ""


class Refusal(Exception):
    """A request that is not answered as it asked; ``answer`` says why."""

    def __init__(self, status: int, reason: str, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.answer = Answer(status, error_body(status, reason, message), headers, reason=reason)


def error_body(status: int, reason: str, message: str) -> bytes:
    """Return the JSON of an error."""
    kind = _KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")
    error = {"message": message, "type": kind, "code": reason, "param": None}
    return json.dumps({"type": "error", "error": error}).encode()


def as_json(content: Any) -> Answer:
    """Return content as an answer."""
    return Answer(200, json.dumps(content).encode())


def head(status: int, headers: Headers) -> bytes:
    """Return status line and headers as they go out. No value may come from outside but a parser's own."""
    phrase = HTTPStatus(status).phrase if status in _KNOWN else ""
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


_KNOWN = frozenset(int(one) for one in HTTPStatus)
