"""The probes as clients send them to llama-server, and conversations that only a server can be asked.

The clock is the server's own; the two variables that it fills from it are given, as the renderer has them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipeline.core.canonical import digest_of
from pipeline.core.digest import Digest
from pipeline.lint.probes import ANSWER, PROBES, SECOND, SYSTEM, USER

FIXED = {"enable_thinking": True, "date_string": "15 Jan 2026", "datetime": "Jan 15 2026"}
Body = Mapping[str, Any]


def wire(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return a probe as a request: arguments as text, what the template gets besides as ``chat_template_kwargs``."""
    thinking = {name: context[name] for name in ("enable_thinking",) if name in context}
    body: dict[str, Any] = {
        "messages": [_message(message) for message in context["messages"]],
        "add_generation_prompt": bool(context.get("add_generation_prompt")),
        "chat_template_kwargs": {**FIXED, **thinking},
    }
    return body | ({"tools": context["tools"]} if context.get("tools") else {})


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    if not message.get("tool_calls"):
        return dict(message)
    calls = [{**call, "function": dict(call["function"])} for call in message["tool_calls"]]
    for call in calls:
        given = call["function"]["arguments"]
        call["function"]["arguments"] = given if isinstance(given, str) else json.dumps(given)
    return {**message, "tool_calls": calls}


def _absent(body: Body) -> dict[str, Any]:
    """Return a request whose messages with calls have no content at all."""
    messages = [{k: v for k, v in m.items() if k != "content" or not m.get("tool_calls")} for m in body["messages"]]
    return {**body, "messages": messages}


def _plain(*messages: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return wire({"messages": messages, "add_generation_prompt": True, **more})


_LEFT_OUT = ("later", "thinking-unset", "scan", "scan-tools", "merged")

REQUESTS: dict[str, Body] = {
    **{name: wire(context) for name, context in PROBES.items() if name not in _LEFT_OUT},
    "round-absent": _absent(wire(PROBES["round-text"])),
    "developer": _plain({"role": "developer", "content": SYSTEM}, {"role": "user", "content": USER}),
    "parts": _plain({"role": "user", "content": [{"type": "text", "text": USER}, {"type": "text", "text": SECOND}]}),
    "answer-parts": _plain(
        {"role": "user", "content": USER},
        {"role": "assistant", "content": [{"type": "text", "text": ANSWER}]},
        {"role": "user", "content": SECOND},
    ),
    "as-served": {"messages": PROBES["user"]["messages"]},
}
"""Requests to ``/apply-template`` by name. Those of a probe's name are that probe; ``as-served`` leaves everything to the
server.
"""


def conversations_digest() -> Digest:
    """Return the digest of all requests: prompts of other conversations can't be compared."""
    return digest_of(dict(REQUESTS))
