"""What became of a line that was played: one grade for each, the most fundamental."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pipeline.lint.evidence.scenes import Take

if TYPE_CHECKING:
    from pipeline.runtime.answer import Answer, Call


class Grade(StrEnum):
    """What can go wrong with a line, what hides all else first."""

    DIES = "the server dies"
    REFUSED = "the server answers with an error"
    ENDLESS = "the answer does not end"
    EARLY = "the answer ends early"
    UNREAD = "the call is not read as a call"
    PARALLEL = "not every call is read"
    ARGUMENT = "a call comes out changed"
    THINKING = "thinking and answer are not kept apart"
    LEAK = "what ends the answer stands in it"
    LETTERS = "letters come out broken"
    LOST = "text is lost or added"
    FINISH = "the finish_reason is wrong"
    STREAM = "streamed, the answer is another"


CALLS = (Grade.UNREAD, Grade.PARALLEL, Grade.ARGUMENT)
Graded = tuple[Grade, str]


def grade(take: Take) -> Graded | None:
    """Return what is wrong with a take, and what came back in words; None where all is well."""
    return next(_faults(take), None)


def _faults(take: Take) -> Iterator[Graded]:
    scene, whole, streamed = take.scene, take.whole, take.streamed
    if take.died:
        yield Grade.DIES, "the server is gone"
    for how, answer in take.answers:
        if answer.trouble:
            yield Grade.REFUSED, how + answer.trouble.words
    came = said(whole)
    if scene.calls and scene.whole and (bent := next((kind for kind in _unlike(take) if kind in CALLS), None)):
        yield bent, came
    if scene.ended and scene.whole:
        if whole.finish_reason == "length":
            yield Grade.ENDLESS, f"{came}, not ended after {whole.tokens} tokens"
    elif whole.finish_reason != "length":
        yield Grade.EARLY, f"{came}, ended by {whole.finish_reason!r} after {whole.tokens} tokens"
    if scene.whole and scene.name != "bare":
        yield from ((kind, came) for kind in _unlike(take))
    elif scene.whole and scene.content not in whole.content and not whole.calls:
        yield Grade.LOST, came
    if scene.whole and scene.ended and whole.finish_reason != ("tool_calls" if whole.calls else "stop"):
        yield Grade.FINISH, f"{came}, finish_reason {whole.finish_reason!r}"
    for how, answer in take.answers:
        if answer.problems:
            yield Grade.STREAM, how + "; ".join(answer.problems)
    if _essence(whole) != _essence(streamed):
        yield Grade.STREAM, f"whole: {came}; streamed: {said(streamed)}"


def _unlike(take: Take) -> Iterator[Grade]:
    """Yield in which respects a whole answer is unlike what was said."""
    scene, answer = take.scene, take.whole
    if scene.calls and not answer.calls:
        yield Grade.UNREAD
    came, wanted = [(one.name, one.parsed()) for one in answer.calls], [(name, dict(one)) for name, one in scene.calls]
    if came != wanted:
        yield Grade.PARALLEL if len(wanted) > 1 and came[:1] == wanted[:1] else Grade.ARGUMENT
    if scene.thought and not (scene.thought in answer.reasoning and answer.reasoning.count("<") == 0):
        yield Grade.THINKING
    if (scene.thought and scene.thought in answer.content) or (not scene.calls and scene.content in answer.reasoning):
        yield Grade.THINKING
    end = scene.end.strip()
    if scene.ended and end and answer.content.rstrip().endswith(end):
        yield Grade.LEAK
    everything = answer.content + answer.reasoning + "".join(call.arguments for call in answer.calls)
    if "\N{REPLACEMENT CHARACTER}" in everything:
        yield Grade.LETTERS
    content = answer.content.strip()
    # Some models think in what they write before a call (gpt-oss).
    thought = bool(scene.calls) and not content and scene.content in answer.reasoning
    if not (thought or (content == scene.content if scene.ended else content.startswith(scene.content))):
        yield Grade.LOST


def _essence(answer: Answer) -> list[Any]:
    calls = [(call.name, call.arguments) for call in answer.calls]
    return [answer.content, answer.reasoning, calls, answer.finish_reason]


def said(answer: Answer) -> str:
    """Return an answer in words."""
    parts = [
        f"{name} {short(text, 60)}"
        for name, text in (("content", answer.content), ("reasoning", answer.reasoning))
        if text
    ]
    return " and ".join([*parts, *(f"the call {_call(call)}" for call in answer.calls)]) or "nothing"


def _call(call: Call) -> str:
    return f"{call.name}({short(call.arguments)})"


def short(text: str, most: int = 90) -> str:
    """Return a text quoted, on one line and not too long."""
    line = json.dumps(text, ensure_ascii=False)
    return line if len(line) <= most else line[: most - 2] + '…"'
