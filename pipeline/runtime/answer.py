"""One answer of a server, in one shape whether it came whole or streamed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.canonical import no_constant


@dataclass(frozen=True)
class Call:
    """One tool call. ``arguments`` is JSON text as the server sent it."""

    id: str
    name: str
    arguments: str

    def parsed(self) -> dict[str, Any] | None:
        """Return the arguments as an object, or None where they are not one."""
        try:
            value = json.loads(self.arguments, parse_constant=no_constant)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    def __str__(self) -> str:
        return f"{self.name}({self.arguments})"


@dataclass(frozen=True)
class Trouble:
    """Why there is no answer to judge. ``grade`` is one of ``checks.diagnose``; ``template`` says that the chat template is at fault."""

    grade: str
    words: str
    template: bool = False


@dataclass(frozen=True)
class Answer:
    """What came back. ``tokens`` counts the generated ones, None where the server didn't say; ``problems`` are breaches of the
    protocol; ``raw`` is what the server sent, parsed no further than JSON."""

    content: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    finish_reason: str = ""
    tokens: int | None = None
    problems: tuple[str, ...] = ()
    trouble: Trouble | None = None
    raw: dict[str, Any] = field(default_factory=dict)

    def message(self) -> dict[str, Any]:
        """Return the answer as a message of the conversation, to go on from."""
        said: dict[str, Any] = {"role": "assistant", "content": self.content}
        if self.calls:
            said["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in self.calls
            ]
        return said


def read_whole(body: Any, raw: dict[str, Any]) -> Answer:
    """Read the body of an answer that was not streamed."""
    try:
        choice = body["choices"][0]
        message = choice["message"]
        content, reasoning = message.get("content") or "", message.get("reasoning_content") or ""
        finish = choice.get("finish_reason") or ""
        if not all(isinstance(text, str) for text in (content, reasoning, finish)):
            raise TypeError("content, reasoning_content and finish_reason must be text")
        calls = tuple(_call(entry) for entry in message.get("tool_calls") or ())
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        return Answer(trouble=Trouble("protocol", f"the body is no chat completion ({error!r})"), raw=raw)
    return Answer(content, reasoning, calls, finish, generated(body), id_problems(calls), raw=raw)


def read_plain(body: Any, raw: dict[str, Any]) -> Answer:
    """Read the body of a plain text's continuation."""
    try:
        choice = body["choices"][0]
        content, finish = choice["text"], choice.get("finish_reason") or ""
        if not isinstance(content, str) or not isinstance(finish, str):
            raise TypeError("text and finish_reason must be text")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        return Answer(trouble=Trouble("protocol", f"the body is no text completion ({error!r})"), raw=raw)
    return Answer(content, finish_reason=finish, tokens=generated(body), raw=raw)


def generated(body: Any) -> int | None:
    """Return the number of generated tokens that a body's ``usage`` states."""
    usage = body.get("usage") if isinstance(body, dict) else None
    count = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return count if isinstance(count, int) else None


def id_problems(calls: tuple[Call, ...]) -> tuple[str, ...]:
    """Return what is wrong with the ids of calls: each must be there, and once."""
    ids = [call.id for call in calls]
    found = [f"tool call {i} has no id" for i, one in enumerate(ids) if not one]
    return (
        *found,
        *(["two tool calls share one id"] if len(set(filter(None, ids))) < len(list(filter(None, ids))) else []),
    )


def _call(entry: Any) -> Call:
    function = entry["function"]
    name, arguments = function["name"], function["arguments"]
    if not isinstance(name, str) or not isinstance(arguments, str):
        raise TypeError("a tool call's name and arguments must be text")
    return Call(str(entry.get("id") or ""), name, arguments)
