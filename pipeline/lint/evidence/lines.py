"""What a playback says: lines that a model might answer, each as the message that a server must make of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.lint.probes import (
    ANSWER,
    ARGUMENT,
    OTHER_RESULT,
    OTHER_VALUE,
    PREAMBLE,
    RESULT,
    SECOND,
    THOUGHT,
    TOOL,
    USER,
    VALUE,
)

ORDER, FLAG, NOW = "quern_order", "quern_flag", "quern_now"
COUNT, NOTE, HURRY = "quern_count", "quern_note", "quern_hurry"
LETTERS = "Quernstone grün 石臼 😀 réponse"
QUOTED = "Quernville \"quoted\" 'single' back\\slash\n  <b>&amp; grün 石臼 😀 Quernend"


def _function(name: str, words: str, required: list[str], **properties: str) -> dict[str, Any]:
    shape = {key: {"type": kind, "description": f"The {key}."} for key, kind in properties.items()}
    parameters = {"type": "object", "properties": shape, "required": required}
    return {"type": "function", "function": {"name": name, "description": words, "parameters": parameters}}


TOOLS = [
    _function(TOOL, "Look up a place.", [ARGUMENT], **{ARGUMENT: "string"}),
    _function(
        ORDER,
        "Order stones.",
        [COUNT, NOTE, ARGUMENT],
        **{COUNT: "integer", NOTE: "string", ARGUMENT: "string"},
    ),
    _function(FLAG, "Hurry.", [HURRY], **{HURRY: "boolean"}),
    _function(NOW, "Tell the time.", []),
]

Wish = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Line:
    """One answer: its ``content``, ``thought`` and ``calls`` (name, arguments), and the ``words`` by which its end is found
    in a prompt. ``tools`` says that tools are on offer.
    """

    name: str
    content: str = ""
    thought: str = ""
    calls: tuple[Wish, ...] = ()
    words: tuple[str, ...] = ()
    tools: bool = False

    def conversation(self, *, spelled: bool = False) -> list[dict[str, Any]]:
        """Return a conversation in which the line has been said, and what comes after it. ``spelled`` gives calls ids that
        say the name, which some templates write in its place (Kimi K2).
        """
        said: dict[str, Any] = {"role": "assistant", "content": self.content}
        if self.thought:
            said["reasoning_content"] = self.thought
        if not self.calls:
            after = [] if self.thought else [{"role": "user", "content": SECOND}]
            return [ASKED, said, *after]
        names = enumerate(name for name, _ in self.calls)
        ids = [f"functions.{name}:{at}" if spelled else f"call0000{at + 1}" for at, name in names]
        said["tool_calls"] = [
            {"id": one, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for one, (name, arguments) in zip(ids, self.calls, strict=True)
        ]
        results = [
            {"role": "tool", "tool_call_id": one, "name": name, "content": text}
            for one, (name, _), text in zip(ids, self.calls, (RESULT, OTHER_RESULT), strict=False)
        ]
        return [ASKED, said, *results]


ASKED = {"role": "user", "content": USER}
_CALL: Wish = (TOOL, {ARGUMENT: VALUE})


def _calls(name: str, *calls: Wish, words: tuple[str, ...] = (VALUE,), content: str = "", thought: str = "") -> Line:
    return Line(name, content, thought, calls, words, tools=True)


LINES = (
    Line("answer", ANSWER, words=(ANSWER,)),
    Line("letters", LETTERS, words=(LETTERS,)),
    Line("thought", ANSWER, THOUGHT, words=(ANSWER,)),
    _calls("call", _CALL),
    _calls("parallel", _CALL, (TOOL, {ARGUMENT: OTHER_VALUE}), words=(VALUE, OTHER_VALUE)),
    _calls("preamble", _CALL, content=PREAMBLE),
    _calls("three", (ORDER, {COUNT: 3, NOTE: OTHER_VALUE, ARGUMENT: VALUE}), words=(OTHER_VALUE, VALUE)),
    _calls("flag", (FLAG, {HURRY: True}), words=(HURRY,)),
    _calls("none", (NOW, {}), words=(NOW,)),
    _calls("quoted", (TOOL, {ARGUMENT: QUOTED}), words=("Quernend",)),
    _calls("thought-call", _CALL, content=PREAMBLE, thought=THOUGHT, words=(THOUGHT, PREAMBLE, VALUE)),
)
"""Lines that are learned from the template. Others are made of them: ``derived``."""

BARE = json.dumps({"name": TOOL, "arguments": {ARGUMENT: VALUE}})
