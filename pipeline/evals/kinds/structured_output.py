"""Whether answers are JSON that fits a schema, when only asked for it and when the server enforces it.

Each item is asked in each of ``ways``: ``free`` (the words alone), ``json`` (``response_format: json_object``), ``schema``
(``response_format: json_schema``, which llama-server turns into a grammar). An answer is right when it is JSON, bare or in one
code fence, fits the item's schema, and has the values of ``expect``; ``conform`` is the share that fits the schema whatever
the values. The keywords of JSON Schema that can be judged are those of draft 2020-12 without ``format``, references out of
the schema, and conditions; an item with another is refused. Intervals: Wilson, 95 %.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.core.progress import Progress
from pipeline.core.search import Unsearchable
from pipeline.evals.asking import Asked, answers_of, request_of, together
from pipeline.evals.data import Data, place
from pipeline.evals.intervals import wilson
from pipeline.evals.judged import Judgement, cut_off, item_of, shares, trouble
from pipeline.evals.kinds._base import Measured, Needs, Text
from pipeline.evals.matching import json_of, plain
from pipeline.evals.model import Metric
from pipeline.evals.rows import read_rows
from pipeline.evals.schema import faults, require_known, same
from pipeline.runtime.answer import Answer

if TYPE_CHECKING:
    from pipeline.runtime.serving import Serving

NEEDS: Needs = "server"
EXAMPLE: dict[str, Any] = {
    "kind": "structured_output",
    "version": "1",
    "license": "CC0-1.0",
    "source": "written for this suite",
    "description": "what it tells",
    "question": "{prompt}\nAnswer only with JSON that fits this schema: {schema}",
    "ways": ["free", "schema"],
    "max_tokens": 256,
    "data": "items.jsonl",
}
Way = Literal["free", "json", "schema"]


class Config(Asked):
    """``question`` is the text that is asked, with the item's ``{prompt}`` and ``{schema}`` filled in."""

    kind: Literal["structured_output"]
    prompt: Literal["chat"] = "chat"
    question: Annotated[str, Field(pattern=r"\{prompt\}")] = "{prompt}"
    ways: Annotated[tuple[Way, ...], Field(strict=False, min_length=1, max_length=3)] = ("free", "schema")
    data: Data


class Row(BaseModel):
    """One item. ``schema`` is JSON Schema; ``expect`` are values that must be there, by property: texts compare without
    letter case, quotes and a final mark."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)

    id: Text
    prompt: Text
    wanted: dict[str, Any] = Field(alias="schema")
    expect: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _judgeable(self) -> Self:
        if not self.wanted:
            raise ValueError("schema: an empty schema is fitted by anything")
        require_known(self.wanted)
        if self.expect and (found := list(faults(self.expect, _parts(self.wanted)))):
            raise ValueError(f"expect: does not fit the schema: {found[0]}")
        return self


def _parts(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema for some of its properties: none is required."""
    return {key: value for key, value in schema.items() if key not in ("required", "minProperties")}


def load(config: Config, folder: Path) -> tuple[Row, ...]:
    """Return the items. Raises SpecError with every faulty line, DigestMismatch for other data."""
    return read_rows(place(config.data, folder), Row)


def measure(config: Config, data: Sequence[Row], server: Serving, progress: Progress) -> Measured:
    """Ask every item in every way. An item of the result is one answer; its score is 1 when it is right, 0 otherwise."""
    asked = [(row, way) for row in data for way in config.ways]
    texts = [ask_text(config, row) for row, _ in asked]
    requests = [
        request_of(config, server, text, **response_format(row, way))
        for (row, way), text in zip(asked, texts, strict=True)
    ]
    answers = answers_of(config, server, requests, progress)
    items = tuple(
        item_of(
            f"{row.id}@{way}", way, text, answer, {"schema": row.wanted, **_expected(row)}, judge(config, row, answer)
        )
        for (row, way), text, answer in zip(asked, texts, answers, strict=True)
    )
    conform = []
    for way in config.ways:
        fit = [item.detail["conforms"] for item in items if item.detail["skill"] == way]
        low, high = wilson(sum(fit), len(fit))
        conform.append(Metric(f"conform@{way}", sum(fit) / len(fit), "share", low, high, len(fit)))
    return (*shares(items, together(config, server)), *conform), items


def ask_text(config: Config, row: Row) -> str:
    """Return the text that is asked."""
    parts = {"{prompt}": row.prompt, "{schema}": json.dumps(row.wanted, ensure_ascii=False)}
    return "".join(parts.get(part, part) for part in re.split(r"(\{prompt\}|\{schema\})", config.question))


def response_format(row: Row, way: Way) -> dict[str, Any]:
    """Return what a way adds to the request."""
    if way == "free":
        return {}
    if way == "json":
        return {"response_format": {"type": "json_object"}}
    named = {"name": "answer", "strict": True, "schema": row.wanted}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def judge(config: Config, row: Row, answer: Answer) -> Judgement:
    """Return what an answer is worth, and in ``conforms`` whether it fits the schema."""
    no = {"conforms": False}
    if unknown := trouble(answer):
        return Judgement("unknown", unknown.reason, no)
    try:
        value = json_of(answer.content)
    except ValueError as error:
        if words := cut_off(answer, config.max_tokens):
            return Judgement("unknown", words, no)
        ending = f"; it did not end within {config.max_tokens} tokens" if answer.finish_reason == "length" else ""
        return Judgement("wrong", f"the answer is no JSON: {error}{ending}", no)
    try:
        found = list(faults(value, row.wanted))
    except Unsearchable as error:
        return Judgement("unknown", str(error), no)
    if found:
        return Judgement("wrong", "; ".join(found[:3]), no)
    other = [key for key, wanted in row.expect.items() if not _equal(value.get(key), wanted)]
    reason = f"it fits, but these have other values: {', '.join(other)}" if other else ""
    return Judgement("wrong" if other else "right", reason, {"conforms": True})


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, str) and isinstance(wanted, str):
        return plain(value) == plain(wanted)
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(_equal, value, wanted))
    if isinstance(value, dict) and isinstance(wanted, dict):
        return value.keys() == wanted.keys() and all(_equal(value[key], wanted[key]) for key in wanted)
    return same(value, wanted)


def _expected(row: Row) -> dict[str, Any]:
    return {"expect": row.expect} if row.expect else {}
