"""A server on loopback that answers what assertions ask beside the answer itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.checks.assertions._base import Seen
from pipeline.checks.probe import Probe
from pipeline.runtime.answer import Answer
from tests.checks.scripted import Handler, Reply, completion, scripted


def chatml(messages: list[dict[str, Any]]) -> str:
    """A prompt as a simple chat template makes it."""
    turns = "".join(f"<|im_start|>{one['role']}\n{one.get('content') or ''}<|im_end|>\n" for one in messages)
    return f"{turns}<|im_start|>assistant\n"


@contextmanager
def asked(*said: str, answer: Answer | None = None, reply: Reply | None = None) -> Iterator[Seen]:
    """A conversation of these user messages, with a server to ask about it."""

    def default(handler: Handler, body: dict[str, Any]) -> None:
        if handler.path == "/apply-template":
            handler.send_json({"prompt": chatml(body["messages"])})
        elif handler.path == "/tokenize":
            handler.send_json({"tokens": tokens(body["content"], body["parse_special"])})
        else:
            handler.send_json(completion("Hello!"))

    with scripted(reply or default) as (_, client):
        request = {"messages": [{"role": "user", "content": one} for one in said]}
        yield Seen(request, answer or Answer("Hello!", finish_reason="stop"), None, Probe(client, 5.0))


def tokens(text: str, special: bool) -> list[int]:
    """One token a character; with ``special``, ``<|im_start|>`` is 1 and ``<|im_end|>`` is 2."""
    if special:
        text = text.replace("<|im_start|>", "\x01").replace("<|im_end|>", "\x02")
    return [ord(one) for one in text]
