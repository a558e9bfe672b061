"""Whether the right tools are called with the right arguments, as the Berkeley Function-Calling Leaderboard judges it.

An item is a request, the tools on offer, and the calls that are wanted, each argument with the values that are accepted (see
``pipeline/evals/calls.py`` for what counts as equal). Its category follows from them: ``simple`` (one tool, one call),
``multiple`` (several tools, one call), ``parallel`` (several calls, in any order), ``irrelevance`` (no tool fits, and none must
be called). Intervals: Wilson, 95 %.

BFCL's own files are read unchanged, from the wheel ``bfcl-eval`` for instance: ``data`` is a question file, ``answers`` the
file of possible answers. Its single-turn categories for Python are understood (simple_python, multiple, parallel,
parallel_multiple, irrelevance, live_…). As there, a dot in a tool's name goes out as ``_``, and the types ``dict``, ``float``,
``tuple`` and ``any`` as JSON Schema's object, number, array and string.

Where the chat template shows the model no tools, an answer without a call is unknown: the model never saw them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.core.progress import Progress
from pipeline.evals.asking import Asked, answers_of, request_of, together
from pipeline.evals.calls import mismatch
from pipeline.evals.data import Data, place
from pipeline.evals.judged import Judgement, cut_off, item_of, shares, trouble
from pipeline.evals.kinds._base import Measured, Needs, Text
from pipeline.evals.rows import read_rows
from pipeline.runtime.answer import Answer
from pipeline.runtime.serving import Request

if TYPE_CHECKING:
    from pipeline.runtime.serving import Serving

NEEDS: Needs = "server"
EXAMPLE: dict[str, Any] = {
    "kind": "tool_use",
    "version": "1",
    "license": "CC0-1.0",
    "source": "written for this suite",
    "description": "what it tells",
    "max_tokens": 256,
    "data": "items.jsonl",
}
_JSON_TYPES = {"dict": "object", "float": "number", "tuple": "array", "any": "string"}
Wanted = dict[str, dict[str, Annotated[tuple[Any, ...], Field(strict=False)]]]


class Config(Asked):
    """``data`` holds the items, or BFCL's questions; then ``answers`` is BFCL's file of possible answers, and is left out
    for irrelevance, where no call is wanted. ``parallel_tool_calls`` goes out with each request; without it, the server
    decides by the chat template, as for any user. ``limit`` takes only the first items."""

    kind: Literal["tool_use"]
    prompt: Literal["chat"] = "chat"
    data: Data
    answers: Data | None = None
    parallel_tool_calls: bool | None = None
    limit: Annotated[int, Field(gt=0)] | None = None


class Tool(BaseModel):
    """A tool on offer; ``parameters`` is JSON Schema, or BFCL's form of it."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    name: Text
    description: str = ""
    parameters: dict[str, Any]


class Row(BaseModel):
    """One request: ``messages``, or ``prompt`` for a single turn of the user. ``calls`` are those wanted, each ``{tool:
    {argument: [accepted, …]}}``; an empty list says that none is. ``skill`` groups items in the result in place of the
    category."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: Text
    skill: Text | None = None
    messages: Annotated[tuple[dict[str, str], ...], Field(strict=False, min_length=1)]
    tools: Annotated[tuple[Tool, ...], Field(strict=False, min_length=1)]
    calls: Annotated[tuple[Wanted, ...], Field(strict=False)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _forms(cls, value: Any) -> Any:
        """Take ``prompt`` for messages, and a row of BFCL's own files."""
        if not isinstance(value, dict):
            return value
        value = dict(value)
        if "question" in value:
            turns = value.pop("question")
            if not isinstance(turns, list) or len(turns) != 1:
                raise ValueError("question: wants one turn; conversations of several are not understood")
            value |= {"messages": turns[0], "tools": value.pop("function", None)}
        elif "prompt" in value:
            value["messages"] = [{"role": "user", "content": value.pop("prompt")}]
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [wire(tool.name) for tool in self.tools]
        if len(set(names)) < len(names):
            raise ValueError("two tools have one name (a dot counts as _)")
        for message in self.messages:
            if not message.get("content") or message.get("role") not in ("system", "user", "assistant"):
                raise ValueError("a message wants a role (system, user, assistant) and content")
        for call in self.calls or ():
            if len(call) != 1:
                raise ValueError("calls: each names one tool")
            if (name := next(iter(call))) not in [tool.name for tool in self.tools]:
                raise ValueError(f"calls: no tool {name!r} is on offer")
            if empty := [key for key, accepted in call[name].items() if not accepted]:
                raise ValueError(f"calls: no value of {', '.join(empty)} is accepted, so no call could be right")
        return self


class Truth(BaseModel):
    """One line of BFCL's possible answers."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    id: Text
    ground_truth: Annotated[tuple[Wanted, ...], Field(strict=False, min_length=1)]


def load(config: Config, folder: Path) -> tuple[Row, ...]:
    """Return the items, each with the calls wanted. Raises SpecError with every faulty line, one without an answer among
    them; DigestMismatch and UsageError where data elsewhere is another, or missing."""
    truths: dict[str, tuple[Wanted, ...]] = {}
    if config.answers is not None:
        found = read_rows(place(config.answers, folder), Truth)
        truths = {truth.id: truth.ground_truth for truth in found}

    def complete(row: Row) -> Row:
        if config.answers is not None and row.id not in truths:
            raise ValueError(f"there is no answer for {row.id}")
        if config.answers is None and row.calls is None and not irrelevant(row.id):
            raise ValueError("calls: missing; write [] where none is wanted, or name the file of answers")
        calls = [dict(call) for call in truths.get(row.id, row.calls or ())]
        return row.model_copy(update={"calls": tuple(calls)})

    rows = read_rows(place(config.data, folder), Row, complete)
    return tuple(map(complete, rows[: config.limit]))


def irrelevant(id: str) -> bool:
    """Tell whether a row is one of BFCL's irrelevance files, which have no answers."""
    return id.startswith(("irrelevance_", "live_irrelevance_"))


def category(row: Row) -> str:
    """Return the category of an item."""
    if not row.calls:
        return "irrelevance"
    if len(row.calls) > 1:
        return "parallel"
    return "multiple" if len(row.tools) > 1 else "simple"


def measure(config: Config, data: Sequence[Row], server: Serving, progress: Progress) -> Measured:
    """Ask every item and judge its calls. An item's score is 1 when they are those wanted, 0 otherwise."""
    answers = answers_of(config, server, [request(config, server, row) for row in data], progress)
    items = tuple(
        item_of(
            row.id,
            row.skill or category(row),
            "\n".join(message["content"] for message in row.messages),
            answer,
            [
                {name: {key: list(value) for key, value in one.items()} for name, one in call.items()}
                for call in row.calls or ()
            ],
            judge(config, row, answer, server.tools),
        )
        for row, answer in zip(data, answers, strict=True)
    )
    return shares(items, together(config, server)), items


def request(config: Config, server: Serving, row: Row) -> Request:
    """Return the request with the tools as the API wants them."""
    tools = [
        {
            "type": "function",
            "function": {
                "name": wire(tool.name),
                "description": tool.description,
                "parameters": json_schema(tool.parameters),
            },
        }
        for tool in row.tools
    ]
    parallel = {} if config.parallel_tool_calls is None else {"parallel_tool_calls": config.parallel_tool_calls}
    return request_of(config, server, "", messages=row.messages, tools=tools, tool_choice="auto", **parallel)


def wire(name: str) -> str:
    """Return a tool's name as it goes out: the API knows no dots."""
    return name.replace(".", "_")


def json_schema(part: Any) -> Any:
    """Return BFCL's description of parameters as JSON Schema."""
    if isinstance(part, list):
        return [json_schema(one) for one in part]
    if not isinstance(part, Mapping):
        return part
    made = {key: json_schema(value) for key, value in part.items() if key != "optional" or isinstance(value, Mapping)}
    if isinstance(kind := part.get("type"), str):
        made["type"] = _JSON_TYPES.get(kind, kind)
    return made


def judge(config: Config, row: Row, answer: Answer, tools_shown: bool | None = None) -> Judgement:
    """Return what an answer's calls are worth. ``tools_shown`` is false where the chat template has no place for tools."""
    if unknown := trouble(answer):
        return unknown
    if tools_shown is False and not answer.calls:
        return Judgement("unknown", "the chat template has no tool support, so the model never saw the tools")
    wanted = [(wire(name), accepted) for call in row.calls or () for name, accepted in call.items()]
    described = {wire(tool.name): tool.parameters for tool in row.tools}
    reason = mismatch(answer.calls, wanted, described)
    open_end = len(answer.calls) <= len(wanted) and (reason or not wanted)  # one call too many stays one too many
    if open_end and (words := cut_off(answer, config.max_tokens)):
        return Judgement("unknown", words)
    if reason and not answer.calls:
        reason = f"no call came, {len(wanted)} wanted"
    return Judgement("wrong" if reason else "right", reason)
