"""Whether answers keep instructions that code can verify, as IFEval does (Zhou et al. 2023), in an implementation of our own.

An item is a prompt with one or more instructions, by IFEval's names and arguments; IFEval's own file (``key``, ``prompt``,
``instruction_id_list``, ``kwargs``) is read unchanged. ``strict`` takes an answer as it is; ``loose`` takes an instruction
for kept when any of eight readings keeps it: with or without the first line, the last line, and asterisks. A prompt is
followed when all its instructions are. ``prompt_…`` is the share of prompts, ``instruction_…`` that of instructions.

An empty answer keeps nothing. An instruction that can't be judged (the language of three words) counts as not kept, and
its prompt is unknown. Intervals: Wilson, 95 %; instructions of one prompt are not quite independent, so that those at
instruction level are somewhat narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.core.progress import Progress
from pipeline.evals.asking import Asked, answers_of, request_of, together
from pipeline.evals.data import Data, place
from pipeline.evals.instructions._base import Instruction
from pipeline.evals.instructions.content import CONTENTS
from pipeline.evals.instructions.form import FORMS
from pipeline.evals.instructions.length import LENGTHS
from pipeline.evals.intervals import wilson
from pipeline.evals.judged import Judgement, cut_off, item_of, shares, trouble
from pipeline.evals.kinds._base import Measured, Needs, Text
from pipeline.evals.model import Item, Metric
from pipeline.evals.rows import read_rows
from pipeline.runtime.answer import Answer

if TYPE_CHECKING:
    from pipeline.runtime.serving import Serving

NEEDS: Needs = "server"
EXAMPLE: dict[str, Any] = {
    "kind": "instruction_following",
    "version": "1",
    "license": "CC0-1.0",
    "source": "written for this suite",
    "description": "what it tells",
    "max_tokens": 512,
    "data": "items.jsonl",
}


class Config(Asked):
    """The items are in ``data``; nothing but their prompts is asked."""

    kind: Literal["instruction_following"]
    prompt: Literal["chat"] = "chat"
    data: Data


class Row(BaseModel):
    """One prompt and what its answer must be like. Each of ``instructions`` has an ``id`` and its arguments."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: Text
    prompt: Text
    instructions: Annotated[
        tuple[Annotated[LENGTHS | CONTENTS | FORMS, Field(discriminator="id")], ...],
        Field(strict=False, min_length=1),
    ]

    @model_validator(mode="before")
    @classmethod
    def _ifeval(cls, value: Any) -> Any:
        """Take a row of IFEval's own file."""
        if not isinstance(value, dict) or "instruction_id_list" not in value:
            return value
        names, arguments = value["instruction_id_list"], value.get("kwargs")
        if not isinstance(names, list) or not isinstance(arguments, list) or len(names) != len(arguments):
            raise ValueError("instruction_id_list and kwargs must be lists of one length")
        given = [{key: v for key, v in (one or {}).items() if v is not None} for one in arguments]
        found = [{"id": name, **more} for name, more in zip(names, given, strict=True)]
        return {"id": str(value.get("key", "")), "prompt": value.get("prompt"), "instructions": found}


def load(config: Config, folder: Path) -> tuple[Row, ...]:
    """Return the items. Raises SpecError with every faulty line, DigestMismatch for other data."""
    return read_rows(place(config.data, folder), Row)


def measure(config: Config, data: Sequence[Row], server: Serving, progress: Progress) -> Measured:
    """Ask every prompt and judge its instructions. An item's score is 1 when all hold strictly, 0 otherwise."""
    requests = [request_of(config, server, row.prompt) for row in data]
    answers = answers_of(config, server, requests, progress)
    items = []
    for row, answer in zip(data, answers, strict=True):
        wanted = [one.model_dump(mode="json") for one in row.instructions]
        skill = "+".join(sorted({one.id.partition(":")[0] for one in row.instructions}))
        items.append(item_of(row.id, skill, row.prompt, answer, wanted, judge(config, row, answer)))
    levels = [_level(how, level, items) for level in ("prompt", "instruction") for how in ("strict", "loose")]
    groups = sorted({one.id.partition(":")[0] for row in data for one in row.instructions})
    apart = [_group(group, data, items) for group in groups]
    others = shares(items, together(config, server))[1:3]  # unknown, at_once
    return (*levels, *others, *apart), tuple(items)


def judge(config: Config, row: Row, answer: Answer) -> Judgement:
    """Return what an answer is worth, with ``strict`` and ``loose`` for each instruction: true, false, or null where
    nobody can tell."""
    none = {"strict": [None] * len(row.instructions), "loose": [None] * len(row.instructions)}
    if unknown := trouble(answer):
        return Judgement("unknown", unknown.reason, none)
    strict = [_strict(one, answer.content) for one in row.instructions]
    detail = {"strict": strict, "loose": [_loose(one, answer.content) for one in row.instructions]}
    if all(strict):
        return Judgement("right", "", detail)
    if words := cut_off(answer, config.max_tokens):
        return Judgement("unknown", words, none)
    broken = [one.id for one, held in zip(row.instructions, strict, strict=True) if held is False]
    if broken:
        return Judgement("wrong", f"not kept: {', '.join(broken)}", detail)
    doubtful = [one.id for one, held in zip(row.instructions, strict, strict=True) if held is None]
    return Judgement("unknown", f"can't be told: {', '.join(doubtful)}", detail)


def readings(text: str) -> list[str]:
    """Return the eight readings of ``loose``: the text whole, without its first, last, or both lines, each with and
    without asterisks."""
    lines = text.split("\n")
    cuts = [lines, lines[1:], lines[:-1], lines[1:-1]]
    parts = ["\n".join(cut).strip() for cut in cuts]
    return [part.replace("*", "") if bare else part for bare, part in product((False, True), parts)]


def _strict(instruction: Instruction, text: str) -> bool | None:
    return instruction.holds(text) if text.strip() else False


def _loose(instruction: Instruction, text: str) -> bool | None:
    held = [_strict(instruction, reading) for reading in readings(text)]
    return True if True in held else None if None in held else False


def _level(how: str, level: str, items: Sequence[Item]) -> Metric:
    """Count prompts or instructions that are kept; null is none."""
    if level == "prompt":
        kept = [all(held is True for held in item.detail[how]) for item in items]
    else:
        kept = [held is True for item in items for held in item.detail[how]]
    return _metric(f"{level}_{how}", kept)


def _group(group: str, data: Sequence[Row], items: Sequence[Item]) -> Metric:
    pairs = zip(data, items, strict=True)
    kept = [
        held is True
        for row, item in pairs
        for one, held in zip(row.instructions, item.detail["strict"], strict=True)
        if one.id.startswith(f"{group}:")
    ]
    return _metric(f"instruction_strict@{group}", kept)


def _metric(name: str, kept: Sequence[bool]) -> Metric:
    low, high = wilson(sum(kept), len(kept))
    return Metric(name, sum(kept) / len(kept), "share", low, high, len(kept))
