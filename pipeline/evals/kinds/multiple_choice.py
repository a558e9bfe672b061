"""Multiple choice by log-likelihood: which of the choices does the model find most likely after the question?

``acc`` takes the choice with the highest sum of log-probabilities, ``acc_norm`` the one with the highest sum for each
byte of its text, so that long choices are not at a disadvantage; both after the LM Evaluation Harness (Gao et al. 2021).
Intervals: Wilson, 95 %.

``noise`` is how far a choice's sum moved, in nats, when a sample of the items was scored again in other batches; items
whose lead is within it are ``unstable``, and ``acc_stable`` is the share without them. ``unknown`` items, longer than
the model's context, count as not right.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.core.progress import Progress
from pipeline.evals.choices import Question, measure_choices
from pipeline.evals.kinds._base import File, Measured, Needs, Suite, Text
from pipeline.evals.rows import read_rows

if TYPE_CHECKING:
    from pipeline.runtime.binding import Scorer

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
    as text. ``examples`` is a file of items that stand in front of each with their answers, ``separator`` after each of
    them; it is decoded once."""

    kind: Literal["multiple_choice"]
    prompt: Literal["plain", "chat"]
    context: Annotated[str, Field(pattern=r"\{question\}")]
    choice: Annotated[str, Field(pattern=r"\{choice\}")] = " {choice}"
    data: File
    examples: File | None = None
    separator: str = "\n\n"


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


@dataclass(frozen=True)
class Data:
    """The items, and the examples that stand in front of each."""

    items: tuple[Row, ...]
    examples: tuple[Row, ...] = ()


def load(config: Config, folder: Path) -> Data:
    """Return the items. Raises SpecError with every faulty line."""
    examples = read_rows(folder / config.examples, Row) if config.examples else ()
    return Data(read_rows(folder / config.data, Row), examples)


def measure(config: Config, data: Data, scorer: Scorer, progress: Progress) -> Measured:
    """Score every choice of every item. An item's score is 1 when the most likely choice is the right one, and 0
    otherwise."""
    before = "".join(
        _context(config, row) + _choice(config, row.choices[row.answer]) + config.separator for row in data.examples
    )
    questions = (
        Question(
            row.id,
            row.skill,
            before + _context(config, row),
            tuple(_choice(config, choice) for choice in row.choices),
            row.choices,
            (row.answer,),
        )
        for row in data.items
    )
    return measure_choices(questions, len(data.items), scorer, progress, special=config.prompt == "chat")


def _context(config: Config, row: Row) -> str:
    return config.context.replace("{question}", row.question)


def _choice(config: Config, text: str) -> str:
    return config.choice.replace("{choice}", text)
