"""The probes as clients send them to llama-server, and conversations that only a server can be asked.

The clock is the server's own; the two variables that it fills from it are given, as the renderer has them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipeline.core.canonical import digest_of
from pipeline.core.digest import Digest
from pipeline.lint.probes import ANSWER, PROBES, SECOND, SYSTEM, TOOL, USER

DATES = {"date_string": "15 Jan 2026", "datetime": "Jan 15 2026"}
FIXED = {"enable_thinking": True, **DATES}
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


_LEFT_OUT = ("later", "thinking-unset", "scan", "scan-tools", "merged", "schema", "linked-schema")

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
    "as-served": {"messages": PROBES["user"]["messages"], "chat_template_kwargs": DATES},
}
"""Requests to ``/apply-template`` by name. Those of a probe's name are that probe; ``as-served`` says nothing of thinking
and leaves it to the server.
"""


def _asking(*schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request that must be answered with a call of a tool whose arguments have these schemas; one token."""
    places = {f"place{number}": schema for number, schema in enumerate(schemas)}
    parameters = {"type": "object", "properties": places, "required": [*places], "$defs": {"Place": {"type": "string"}}}
    function = {"name": TOOL, "description": "Look up a place.", "parameters": parameters}
    tools = [{"type": "function", "function": function}]
    return {**_plain({"role": "user", "content": USER}, tools=tools), "tool_choice": "required", "max_tokens": 1}


GENERATIONS: dict[str, Body] = {
    "plain": {**_plain({"role": "user", "content": USER}), "max_tokens": 1},
    "call": _asking({"type": "string", "description": "The place."}),
    "rich-schema": _asking(
        {"type": "string", "pattern": "^[a-z]+-[0-9]{2,4}$"},
        {"type": "string", "format": "date-time"},
        {"$ref": "#/$defs/Place"},
        {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 0}]},
        {"type": ["string", "null"]},
        {"const": "quern"},
        {"enum": ["a", 1, None]},
        {"type": "array", "items": {"type": "object", "properties": {"deep": {"type": "number"}}}, "minItems": 2},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {},
    ),
}
"""Requests to ``/v1/chat/completions`` by name, for what happens before the first token: the grammar of the tools."""


def conversations_digest() -> Digest:
    """Return the digest of all requests: prompts of other conversations can't be compared."""
    return digest_of(dict(REQUESTS))
