"""Multiple choice by log-likelihood: which of the choices does the model find most likely after the question?

``acc`` takes the choice with the highest sum of log-probabilities, ``acc_norm`` the one with the highest sum for each
byte of its text, so that long choices are not at a disadvantage; both as in the LM Evaluation Harness (Gao et al.
2021). Intervals: Wilson, 95 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.core.progress import Progress
from pipeline.evals.intervals import wilson
from pipeline.evals.kinds._base import File, Measured, Needs, Suite, Text
from pipeline.evals.model import Item, Metric
from pipeline.evals.rows import read_rows

if TYPE_CHECKING:
    from pipeline.runtime.binding import Logprobs, Scorer

NEEDS: Needs = "scorer"
EXAMPLE: dict[str, Any] = {
    "kind": "multiple_choice",
    "version": "1",
    "license": "CC0-1.0",
    "source": "written for this suite",
    "description": "what it tells",
    "prompt": "plain",
    "context": "Question: {question}\nAnswer:",
    "choice": " {choice}",
    "data": "items.jsonl",
}


class Config(Suite):
    """``context`` and ``choice`` are the texts that are scored, with ``{question}`` and ``{choice}`` filled in. With
    ``prompt: chat`` the special tokens of a chat template, such as ``<|im_start|>``, are read as tokens; with ``plain``
    as text."""

    kind: Literal["multiple_choice"]
    prompt: Literal["plain", "chat"]
    context: Annotated[str, Field(pattern=r"\{question\}")]
    choice: Annotated[str, Field(pattern=r"\{choice\}")] = " {choice}"
    data: File


class Row(BaseModel):
    """One line of the data. ``answer`` is the index of the right choice, from 0; ``skill`` groups items in the
    result."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: Text
    skill: Text
    question: Text
    choices: Annotated[tuple[Text, ...], Field(strict=False, min_length=2, max_length=26)]
    answer: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.answer >= len(self.choices):
            raise ValueError(
                f"answer {self.answer} is out of range: there are {len(self.choices)} choices, counted from 0"
            )
        if len(set(self.choices)) < len(self.choices):
            raise ValueError("two choices are equal")
        return self


def load(config: Config, folder: Path) -> tuple[Row, ...]:
    """Return the items. Raises SpecError with every faulty line."""
    return read_rows(folder / config.data, Row)


def measure(config: Config, data: Sequence[Row], scorer: Scorer, progress: Progress) -> Measured:
    """Score every choice of every item. An item's score is 1 when the most likely choice is the right one, and 0
    otherwise."""
    special = config.prompt == "chat"
    contexts = [config.context.replace("{question}", row.question) for row in data]
    groups = [
        scorer.group(context, [config.choice.replace("{choice}", choice) for choice in row.choices], special=special)
        for row, context in zip(data, contexts, strict=True)
    ]
    with progress.task("scoring choices", len(data), "items") as task:
        scores = scorer.score(groups, task.advance)
    items = tuple(_item(*each) for each in zip(data, contexts, scores, strict=True))
    metrics = [_share("acc", items, "picked"), _share("acc_norm", items, "picked_norm")]
    for skill in sorted({row.skill for row in data}):
        metrics.append(_share(f"acc@{skill}", [item for item in items if item.detail["skill"] == skill], "picked"))
    return tuple(metrics), items


def _item(row: Row, context: str, scores: Sequence[Logprobs]) -> Item:
    sums = [round(sum(score), 6) for score in scores]
    sizes = [len(choice.encode()) for choice in row.choices]
    picked = max(range(len(sums)), key=sums.__getitem__)
    picked_norm = max(range(len(sums)), key=lambda i: sums[i] / sizes[i])
    choices = [
        {"text": text, "logprob": total, "tokens": len(score), "bytes": size}
        for text, total, score, size in zip(row.choices, sums, scores, sizes, strict=True)
    ]
    best_other = max(total for i, total in enumerate(sums) if i != row.answer)
    detail = {
        "skill": row.skill,
        "prompt": context,
        "choices": choices,
        "answer": row.answer,
        "picked": picked,
        "picked_norm": picked_norm,
        "margin": round(sums[row.answer] - best_other, 6),
    }
    return Item(row.id, float(picked == row.answer), detail)


def _share(name: str, items: Sequence[Item], picked: str) -> Metric:
    right = sum(item.detail[picked] == item.detail["answer"] for item in items)
    low, high = wilson(right, len(items))
    return Metric(name, right / len(items), "share", low, high, len(items))
