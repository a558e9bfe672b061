"""A streamed answer put together again, and what its protocol breaks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.runtime.answer import Answer, Call, Trouble, generated, id_problems

DONE = "[DONE]"
# An event repeats the id, the model and the clock a hundred times over; the rest is the evidence.
KEPT = ("choices", "usage", "error")


def events(lines: Iterable[str]) -> Iterator[str]:
    """Yield the data of server-sent events; comments (pings) and other fields are left out."""
    pending: list[str] = []
    for line in lines:
        if not line.strip() and pending:
            yield "\n".join(pending)
            pending = []
        elif line.startswith("data:"):
            pending.append(line[5:].removeprefix(" "))
    if pending:
        yield "\n".join(pending)


def assemble(data: Iterable[str]) -> Answer:
    """Put the data of all events together. A stream that ends before ``[DONE]`` gives an answer with ``trouble``."""
    reader = _Reader()
    for one in data:
        reader.take(one)
    return reader.answer()


class _Reader:
    def __init__(self) -> None:
        self.chunks: list[Any] = []
        self.problems: list[str] = []
        self.content = self.reasoning = self.finish = ""
        self.tokens: int | None = None
        self.calls: dict[int, dict[str, str]] = {}
        self.done = False
        self.error = ""

    def take(self, data: str) -> None:
        if self.done:
            self.note("data after [DONE]")
        if data == DONE:
            self.done = True
            return
        try:
            chunk = json.loads(data)
        except (ValueError, RecursionError):
            self.chunks.append(data[:2000])
            return self.note("an event is not JSON")
        if not isinstance(chunk, dict):
            self.chunks.append(chunk)
            return self.note("an event is no object")
        self.chunks.append({key: value for key, value in chunk.items() if key in KEPT})
        if "error" in chunk:
            error = chunk["error"]
            self.error = str(error.get("message", error) if isinstance(error, dict) else error)
            return
        if (count := generated(chunk)) is not None:
            self.tokens = count
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            return self.note("an event has no choices")
        for choice in choices:
            self.choice(choice if isinstance(choice, dict) else {})

    def choice(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return self.note("a choice has no delta")
        if self.finish and any(delta.get(key) for key in ("content", "reasoning_content", "tool_calls")):
            self.note("a delta after the finish_reason")
        self.content += self.text(delta, "content")
        self.reasoning += self.text(delta, "reasoning_content")
        for entry in delta.get("tool_calls") or ():
            self.call(entry if isinstance(entry, dict) else {})
        if finish := choice.get("finish_reason"):
            if self.finish:
                self.note("more than one finish_reason")
            self.finish = str(finish)

    def call(self, entry: dict[str, Any]) -> None:
        index, function = entry.get("index"), entry.get("function") or {}
        if not isinstance(index, int) or isinstance(index, bool):
            return self.note("a tool call's delta has no integer index")
        known = self.calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
        if one := str(entry.get("id") or ""):
            if known["id"] and known["id"] != one:
                self.note(f"the id of tool call {index} changes in the middle")
            known["id"] = known["id"] or one
        if name := self.text(function, "name"):
            if known["name"]:
                self.note(f"the name of tool call {index} comes more than once")
            known["name"] = known["name"] or name
        known["arguments"] += self.text(function, "arguments")

    def text(self, holder: dict[str, Any], key: str) -> str:
        value = holder.get(key)
        if value is None or isinstance(value, str):
            return value or ""
        self.note(f"{key} is not text")
        return ""

    def note(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)

    def answer(self) -> Answer:
        order = sorted(self.calls)
        if order != list(range(len(order))):
            self.note(f"tool calls have the indexes {order}, not 0 to {len(order) - 1}")
        calls = tuple(Call(**self.calls[index]) for index in order)
        for i, call in enumerate(calls):
            if not call.name:
                self.note(f"tool call {i} has no name")
        trouble = None
        if self.error:
            trouble = Trouble("http_error", f"the stream ends with an error: {self.error[:500]}")
        elif not self.done:
            trouble = Trouble("server_crash", f"the stream breaks off after {len(self.chunks)} events, without [DONE]")
        elif not self.finish:
            self.note("no finish_reason")
        raw = {"events": self.chunks}
        problems = (*self.problems, *id_problems(calls))
        return Answer(self.content, self.reasoning, calls, self.finish, self.tokens, problems, trouble, raw)
