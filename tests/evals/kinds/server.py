"""The locked server for tests of kinds that ask one: the embedded model, or answers as the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from pipeline.runtime.answer import Answer, Call
from pipeline.runtime.serving import Serving
from tests.checks.scripted import Scripted, completion, scripted

SAMPLING = {
    "temperature": 0.7,
    "top_k": 40,
    "top_p": 0.95,
    "min_p": 0.05,
    "repeat_penalty": 1.0,
    "seed": 3,
    "max_tokens": None,
}


def tiny(client: httpx.Client, **more: Any) -> Serving:
    """The embedded model behind a client of a ready server."""
    return Serving(client, "model", **{"sampling": SAMPLING, "slots": 1, "context": 1024, "timeout": 60.0, **more})


@contextmanager
def says(answer: str | Callable[[dict[str, Any]], dict[str, Any]], **more: Any) -> Iterator[tuple[Scripted, Serving]]:
    """A server that gives one answer to everything, or what a function makes of the request."""
    make = (lambda _: completion(answer)) if isinstance(answer, str) else answer
    with scripted(lambda handler, body: handler.send_json(make(body))) as (server, client):
        yield server, tiny(client, **more)


def said(content: str = "", *calls: tuple[str, str], finish: str = "stop", tokens: int = 5) -> Answer:
    """An answer as the client gives it."""
    found = tuple(Call(f"id{number}", name, arguments) for number, (name, arguments) in enumerate(calls))
    return Answer(content, calls=found, finish_reason=finish, tokens=tokens)
