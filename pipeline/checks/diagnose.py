"""What became of a tool call, as one grade and in words."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.checks.markers import tool_markers
from pipeline.checks.model import Verdict
from pipeline.runtime.answer import Answer, Call

GRADES = {
    "structured": "the call came as a call",
    "answered": "an answer in words came, and no call",
    "json_in_content": "the call came out as plain content, as bare JSON",
    "markers_in_content": "the call came out as plain content, with the template's own markers",
    "in_reasoning": "the call came out in the reasoning, not as a call",
    "wrong_tool": "another tool was called",
    "bad_args": "the tool is right, its arguments are not",
    "no_call": "no tool was called",
    "needless_call": "a tool was called where none was wanted",
    "runaway": "the answer did not end within the limit",
    "text": "the text is not as it must be",
    "too_long": "the answer is longer than it may be",
    "bad_json": "the content is not the JSON that was asked for",
    "reasoning": "the reasoning is not as it must be",
    "prompt": "the prompt that the chat template makes is not as it must be",
    "injection": "text of a message is read as the machinery of the chat",
    "cache": "an answer from the prompt cache is another one",
    "stream": "streamed and whole answer differ",
    "protocol": "the answer breaks the API's protocol",
    "engine_limit": "the engine does not do what was asked; nothing can be said of the model",
    "http_error": "the server refused the request",
    "server_crash": "the server broke off or is gone",
    "timeout": "the server did not answer in time",
    "not_reached": "the question could not be put",
    "not_applicable": "the case asks for what the model does not claim to do",
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with an answer: a grade of ``GRADES``, what was seen, and whether that condemns the model."""

    grade: str
    words: str
    verdict: Verdict = Verdict.FAIL

    def __str__(self) -> str:
        return f"{self.grade}: {self.words}"


def short(text: str, limit: int = 120) -> str:
    """Return ``text`` quoted, on one line and not too long."""
    line = json.dumps(text, ensure_ascii=False)
    return line if len(line) <= limit else line[: limit - 2] + '…"'


def missing_call(answer: Answer, tools: Collection[str]) -> Fault | None:
    """Say why an answer without a structured call has none; None where it has one. ``tools`` are the names on offer."""
    if answer.calls:
        return None
    if wrote := call_in_text(answer.content, tools):
        if markers := tool_markers(answer.content):
            return Fault(
                "markers_in_content",
                f"the call came out as plain content, between {' '.join(markers)}: {short(answer.content)}",
            )
        return Fault(
            "json_in_content", f"the call came out as plain content, as bare JSON of {wrote}: {short(answer.content)}"
        )
    if markers := tool_markers(answer.content):
        return Fault(
            "markers_in_content", f"the content holds {' '.join(markers)} but no call: {short(answer.content)}"
        )
    if call_in_text(answer.reasoning, tools) or tool_markers(answer.reasoning):
        return Fault("in_reasoning", f"the call stayed in the reasoning: {short(answer.reasoning)}")
    if runs := runaway(answer):
        return Fault("runaway", f"no tool was called, and {runs}")
    return Fault("no_call", f"no tool was called; the answer is {short(answer.content)}")


def wrong_call(calls: Sequence[Call], wanted: Sequence[tuple[str, dict[str, Any] | None, bool]]) -> Fault | None:
    """Compare calls with those wanted, in any order: (name, arguments, exact); arguments None means any."""
    left = list(calls)
    unmet = []
    # The most exact first: what takes any arguments must not take those that another wants.
    for name, arguments, exact in sorted(wanted, key=lambda one: (one[1] is None, not one[2])):
        hit = next((call for call in left if call.name == name and _fits(call, arguments, exact)), None)
        if hit:
            left.remove(hit)
        else:
            unmet.append((name, arguments))
    for name, arguments in unmet:
        near = next((call for call in left if call.name == name), None)
        if near and near.parsed() is None:
            return Fault("bad_args", f"the arguments of {name} are no JSON object: {short(near.arguments)}")
        if near:
            return Fault("bad_args", f"wanted {name}({json.dumps(arguments, ensure_ascii=False)}), got {near}")
        if left:
            return Fault("wrong_tool", f"wanted {name}, got {', '.join(map(str, left))}")
        return Fault("no_call", f"a call of {name} is missing; there is only {', '.join(map(str, calls))}")
    if left:
        return Fault("needless_call", f"one call too many: {', '.join(map(str, left))}")
    return None


def _fits(call: Call, arguments: dict[str, Any] | None, exact: bool) -> bool:
    got = call.parsed()
    if arguments is None:
        return got is not None
    return _identical(got, arguments) if exact else same_arguments(got, arguments)


def _identical(got: Any, wanted: Any) -> bool:
    """Compare with types: 1, 1.0 and true are not the same."""
    return json.dumps(got, sort_keys=True) == json.dumps(wanted, sort_keys=True)


def runaway(answer: Answer) -> str:
    """Return words for an answer that ran to its limit, or an empty text."""
    if answer.finish_reason != "length":
        return ""
    count = f"{answer.tokens} tokens" if answer.tokens is not None else "its limit of tokens"
    said = answer.content or ", ".join(map(str, answer.calls)) or answer.reasoning
    return f"the answer had not ended after {count}: {short(said)}"


def same_arguments(got: Any, wanted: Any) -> bool:
    """Compare as a reader would: letter case, outer spaces, quotes and a final full stop don't count, types of numbers do."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return got.keys() == wanted.keys() and all(same_arguments(got[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list) and isinstance(got, list):
        return len(got) == len(wanted) and all(map(same_arguments, got, wanted))
    if isinstance(wanted, str) and isinstance(got, str):
        return _plain(got) == _plain(wanted)
    return type(got) is type(wanted) and bool(got == wanted)


def call_in_text(text: str, tools: Collection[str]) -> str:
    """Return the name of the first tool whose call stands as JSON in ``text``, bare or within markers; empty where there is none."""
    decoder, place = json.JSONDecoder(), text.find("{")
    while place >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            value, end = None, place + 1
        if called := _called(value, tools):
            return called
        place = text.find("{", end)
    return ""


def _called(value: Any, tools: Collection[str]) -> str:
    """Return the name of the first tool that a JSON value calls, at any depth of it."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += reversed(one)
        elif isinstance(one, dict):
            inner = one.get("function")
            call: dict[str, Any] = inner if isinstance(inner, dict) else one
            if str(call.get("name")) in tools and ("arguments" in call or "parameters" in call):
                return str(call["name"])
            left += reversed(one.values())
    return ""


def _plain(text: str) -> str:
    return " ".join(text.split()).strip("\"' ").removesuffix(".").casefold()
