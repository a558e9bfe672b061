"""The conversations that templates are judged on. Their words occur nowhere else, so finding one in a prompt means it
came through.
"""

from __future__ import annotations

from typing import Any

USER, ANSWER, SECOND = "Quernstone ask one", "Quernstone reply one", "Quernstone ask two"
SYSTEM = "Quernstone house rules"
TOOL, ARGUMENT, VALUE, RESULT = "quern_lookup", "quern_place", "Quernville", "Quernstone found"

_USER = {"role": "user", "content": USER}
_ANSWER = {"role": "assistant", "content": ANSWER}
_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": TOOL,
            "description": "Look up a place.",
            "parameters": {
                "type": "object",
                "properties": {ARGUMENT: {"type": "string", "description": "The place."}},
                "required": [ARGUMENT],
            },
        },
    }
]


def _round(arguments: Any, content: str | None) -> list[dict[str, Any]]:
    call = {"id": "call00001", "type": "function", "function": {"name": TOOL, "arguments": arguments}}
    return [
        _USER,
        {"role": "assistant", "content": content, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call00001", "name": TOOL, "content": RESULT},
    ]


PLAIN = ("user", "turns")
"""Conversations that every chat template must render."""

ROUNDS = ("round", "round-text", "round-null")
"""One call and its result: arguments as an object (what llama-server passes where a template takes it apart), as text
(where it doesn't, and on the wire), and with null content (on the wire).
"""

PROBES: dict[str, dict[str, Any]] = {
    "user": {"messages": [_USER], "add_generation_prompt": True},
    "turns": {"messages": [_USER, _ANSWER, {"role": "user", "content": SECOND}], "add_generation_prompt": True},
    "unprompted": {"messages": [_USER]},
    "answered": {"messages": [_USER, _ANSWER]},
    "system": {"messages": [{"role": "system", "content": SYSTEM}, _USER], "add_generation_prompt": True},
    "merged": {"messages": [{"role": "user", "content": f"{SYSTEM}\n{USER}"}], "add_generation_prompt": True},
    "tools": {"messages": [_USER], "tools": _TOOLS, "add_generation_prompt": True},
    "round": {"messages": _round({ARGUMENT: VALUE}, ""), "tools": _TOOLS, "add_generation_prompt": True},
    "round-text": {
        "messages": _round(f'{{"{ARGUMENT}": "{VALUE}"}}', ""),
        "tools": _TOOLS,
        "add_generation_prompt": True,
    },
    "round-null": {
        "messages": _round(f'{{"{ARGUMENT}": "{VALUE}"}}', None),
        "tools": _TOOLS,
        "add_generation_prompt": True,
    },
}
WITH_TOOLS = ("tools", *ROUNDS)
