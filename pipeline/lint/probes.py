"""The conversations that templates are judged on. Their words occur nowhere else, so finding one in a prompt means it
came through.
"""

from __future__ import annotations

from typing import Any

USER, ANSWER, SECOND = "Quernstone ask one", "Quernstone reply one", "Quernstone ask two"
SYSTEM = "Quernstone house rules"
TOOL, ARGUMENT, VALUE, RESULT = "quern_lookup", "quern_place", "Quernville", "Quernstone found"
OTHER_VALUE, OTHER_RESULT = "Quernborough", "Quernstone other"
PREAMBLE, THOUGHT = "Quernstone preamble", "Quernstone thought"
MARKUP = "Quernstone <b>&amp; \"grün\" 'x' 石</b>"
FLAG, NOTHING, LIST = "quern_flag", "quern_nothing", "quern_list"
PURPOSE, MEANING, CHOICE, INNER = "Quernstone purpose", "Quernstone meaning", "quern_north", "quern_inner"
BRANCH, DEFINED = "quern_branch", "quern_defined"

_USER = {"role": "user", "content": USER}
_ANSWER = {"role": "assistant", "content": ANSWER}
_FUNCTION = {
    "name": TOOL,
    "description": "Look up a place.",
    "parameters": {
        "type": "object",
        "properties": {ARGUMENT: {"type": "string", "description": "The place."}},
        "required": [ARGUMENT],
    },
}
_TOOLS = [{"type": "function", "function": _FUNCTION}]


def _call(arguments: Any, identifier: str = "call00001") -> dict[str, Any]:
    return {"id": identifier, "type": "function", "function": {"name": TOOL, "arguments": arguments}}


def _result(content: str = RESULT, identifier: str = "call00001") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identifier, "name": TOOL, "content": content}


def _calls(*calls: dict[str, Any], content: str | None = "", **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls), **more}


def _round(arguments: Any, content: str | None) -> list[dict[str, Any]]:
    return [_USER, _calls(_call(arguments), content=content), _result()]


def _prompt(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": list(messages), "add_generation_prompt": True, **more}


def _tool_prompt(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return _prompt(*messages, tools=_TOOLS, **more)


def _tool_without(*names: str) -> list[dict[str, Any]]:
    function = {name: value for name, value in _FUNCTION.items() if name not in names}
    return [{"type": "function", "function": function}]


def _tool_of(places: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    parameters = {"type": "object", "properties": places, "required": [*places][:1], **more}
    return [{"type": "function", "function": {"name": TOOL, "description": PURPOSE, "parameters": parameters}}]


def _object(name: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string", "description": "A part."}}}


_PLACES: dict[str, Any] = {
    ARGUMENT: {"type": "string", "description": MEANING},
    "quern_side": {"type": "string", "description": "The side.", "enum": [CHOICE, "quern_south"]},
    "quern_parts": {**_object(INNER), "description": "The parts."},
}
_LINKED: dict[str, Any] = {
    ARGUMENT: {"type": "string", "description": MEANING},
    "quern_either": {"anyOf": [_object(BRANCH), {"type": "null"}], "description": "The parts, or null."},
    "quern_named": {"$ref": "#/$defs/Quern"},
}
_ARGUMENTS = {ARGUMENT: VALUE}
_OTHER = {ARGUMENT: OTHER_VALUE}
_LONG = "call_Quern0123456789abcdefghij"
_SECOND = {"role": "user", "content": SECOND}
_SYSTEM = {"role": "system", "content": SYSTEM}
_NO_ID = {"type": "function", "function": _call(_ARGUMENTS)["function"]}
_RICH = {ARGUMENT: VALUE, FLAG: True, NOTHING: None, LIST: [{ARGUMENT: OTHER_VALUE}]}

PLAIN = ("user", "turns")
"""Conversations that every chat template must render."""

ROUNDS = ("round", "round-text", "round-null")
"""One call and its result, as given: arguments as an object (what llama-server passes where a template takes it apart),
as text (where it doesn't, and on the wire), and with null content (on the wire). All other probes are rewritten as
llama-server does before the template gets them: ``render_child``.
"""

PROBES: dict[str, dict[str, Any]] = {
    "user": _prompt(_USER),
    "turns": _prompt(_USER, _ANSWER, _SECOND),
    "unprompted": {"messages": [_USER]},
    "answered": {"messages": [_USER, _ANSWER]},
    "declined": {"messages": [_USER], "add_generation_prompt": False},
    "system": _prompt(_SYSTEM, _USER),
    "merged": _prompt({"role": "user", "content": f"{SYSTEM}\n{USER}"}),
    "markup": _prompt({"role": "user", "content": MARKUP}),
    "asked-twice": _prompt(_USER, _SECOND),
    "system-later": _prompt(_USER, _ANSWER, _SYSTEM, _SECOND),
    "reasoned": _prompt(_USER, {**_ANSWER, "reasoning_content": THOUGHT}, _SECOND),
    "thinking-off": _prompt(_USER, enable_thinking=False),
    "thinking-unset": _prompt(_USER, **{"$without": ["enable_thinking"]}),
    "later": _prompt(_SYSTEM, _USER, **{"$later": True}),
    "tools": _tool_prompt(_USER),
    "round": {**_tool_prompt(*_round(_ARGUMENTS, "")), "$given": True},
    "round-text": {**_tool_prompt(*_round(f'{{"{ARGUMENT}": "{VALUE}"}}', "")), "$given": True},
    "round-null": {**_tool_prompt(*_round(f'{{"{ARGUMENT}": "{VALUE}"}}', None)), "$given": True},
    "called": _tool_prompt(*_round(_ARGUMENTS, "")),
    "preamble": _tool_prompt(_USER, _calls(_call(_ARGUMENTS), content=PREAMBLE), _result()),
    "parallel": _tool_prompt(
        _USER,
        _calls(_call(_ARGUMENTS), _call(_OTHER, "call00002")),
        _result(),
        _result(OTHER_RESULT, "call00002"),
    ),
    "called-before": _tool_prompt(*_round(_ARGUMENTS, ""), _ANSWER, _SECOND),
    "rich-call": _tool_prompt(*_round(_RICH, "")),
    "thought-call": _tool_prompt(
        _USER, _calls(_call(_ARGUMENTS), content=PREAMBLE, reasoning_content=THOUGHT), _result()
    ),
    "tool-turns": _tool_prompt(_USER, _ANSWER, _SECOND),
    "long-id": _tool_prompt(_USER, _calls(_call(_ARGUMENTS, _LONG)), _result(identifier=_LONG)),
    "no-id": _tool_prompt(_USER, _calls(_NO_ID), {"role": "tool", "name": TOOL, "content": RESULT}),
    "undescribed": {**_prompt(_USER, tools=_tool_without("description")), "$given": True},
    "unparameterized": {**_prompt(_USER, tools=_tool_without("parameters")), "$given": True},
    "bare-tool": _prompt(_USER, tools=_tool_without("description", "parameters")),
    "schema": _prompt(_USER, tools=_tool_of(_PLACES)),
    "linked-schema": _prompt(_USER, tools=_tool_of(_LINKED, **{"$defs": {"Quern": _object(DEFINED)}})),
    "scan-tools": {"$scan": True},
    "scan": {"$scan": True},
}
WITH_TOOLS = tuple(list(PROBES)[list(PROBES).index("tools") : -1])
"""Conversations that llama-server gives to the template named ``tool_use`` where there is one."""
