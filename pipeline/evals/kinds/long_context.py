"""Whether a fact is found in a long text, at several depths and lengths: the needle in a haystack (Kamradt 2023).

The haystack is prose from the suite's own ``text``, from a place drawn with ``seed``, and begun again where it ends. The needle
is one sentence with a number; ``distractors`` are like it, about other things. All of it follows from the configuration and
the model's tokenizer, so the same model is asked the same. An answer is right when it holds the needle's number and no
distractor's.

``lengths`` are tokens of the whole text, needle and question included, the chat template's own left out. A length that does
not fit the context of a slot with its answer is unknown, and is not asked. Intervals: Wilson, 95 %.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pipeline.core.errors import Problem, SpecError, UsageError
from pipeline.core.progress import Progress
from pipeline.evals.asking import Asked, answers_of, request_of, together
from pipeline.evals.instructions._base import sentences
from pipeline.evals.judged import Judgement, cut_off, item_of, share, shares, trouble
from pipeline.evals.kinds._base import File, Measured, Needs
from pipeline.evals.matching import contains
from pipeline.evals.model import Item
from pipeline.evals.rows import read_text
from pipeline.runtime.answer import Answer
from pipeline.spec.load import shown

if TYPE_CHECKING:
    from pipeline.runtime.serving import Serving

NEEDS: Needs = "server"
EXAMPLE: dict[str, Any] = {
    "kind": "long_context",
    "version": "1",
    "license": "CC0-1.0",
    "source": "written for this suite",
    "description": "what it tells",
    "text": "text.txt",
    "lengths": [512, 2048],
    "depths": [0, 0.5, 1],
    "needles": 2,
    "max_tokens": 32,
}
PLACES = "harbor orchard library station museum bakery garden workshop lighthouse mill castle quarry".split()
TEMPLATE_TOKENS = 64
LEAST_SENTENCES = 20


class Config(Asked):
    """``text`` is the prose of the haystack. ``depths`` are where the needle stands, from 0, the beginning, to 1, the end;
    ``needles`` how many items there are for each length and depth."""

    kind: Literal["long_context"]
    text: File
    lengths: Annotated[tuple[Annotated[int, Field(ge=128, le=10_000_000)], ...], Field(strict=False, min_length=1)]
    depths: Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(strict=False, min_length=1)] = (
        *(0, 0.25, 0.5, 0.75, 1),
    )
    needles: Annotated[int, Field(gt=0, le=1000)] = 1
    distractors: Annotated[int, Field(ge=0, le=10)] = 0
    seed: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class Cell:
    """One item before its haystack is made. ``codes`` are the needle's number and those of the distractors, by place."""

    id: str
    length: int
    depth: float
    codes: tuple[tuple[str, str], ...]
    seed: str

    @property
    def question(self) -> str:
        return f"What is the code of the {self.codes[0][0]}? Answer with the number alone."


@dataclass(frozen=True)
class Haystacks:
    """What is to be asked, and the sentences to hide it in."""

    sentences: tuple[str, ...]
    cells: tuple[Cell, ...]

    def __len__(self) -> int:
        return len(self.cells)


def load(config: Config, folder: Path) -> Haystacks:
    """Return the cells. Raises SpecError where the text is missing, too short, or holds a needle of its own."""
    path = folder / config.text
    found = tuple(re.sub(r"\s+", " ", sentence) for sentence in sentences(read_text(path)))
    if len(found) < LEAST_SENTENCES:
        message = f"{len(found)} sentences are too few for a haystack"
        raise SpecError([Problem(shown(path), 0, 0, message, f"take a text of {LEAST_SENTENCES} at least")])
    if any(re.search(r"\bThe code of the\b", sentence) for sentence in found):
        raise SpecError([Problem(shown(path), 0, 0, "the text speaks of codes itself, as a needle does")])
    return Haystacks(found, tuple(_cells(config)))


def _cells(config: Config) -> Iterator[Cell]:
    for length in config.lengths:
        for depth in config.depths:
            for number in range(1, config.needles + 1):
                id = f"{length}-{depth:g}-{number:02d}"
                rng = random.Random(f"{config.seed}/{id}")
                places = rng.sample(PLACES, config.distractors + 1)
                codes = rng.sample(range(10_000, 100_000), config.distractors + 1)
                yield Cell(id, length, depth, tuple(zip(places, map(str, codes), strict=True)), f"{config.seed}/{id}/h")


def measure(config: Config, data: Haystacks, server: Serving, progress: Progress) -> Measured:
    """Hide every needle and ask for it. An item's score is 1 when it is found, 0 otherwise."""
    room = server.context - config.max_tokens - TEMPLATE_TOKENS
    fits = [cell for cell in data.cells if cell.length <= room]
    if not fits:
        said = f"no length of the suite fits a slot's context of {server.context} tokens"
        raise UsageError(said, hint=f"lengths up to {max(room, 0)} do; or raise engine.context in the spec")
    sizes = dict(zip(data.sentences, server.count_tokens([f" {one}" for one in data.sentences]), strict=True))
    texts = [haystack(cell, data.sentences, sizes, server) for cell in fits]
    answers = answers_of(config, server, [request_of(config, server, text) for text in texts], progress)
    done = {cell.id: (text, answer) for cell, text, answer in zip(fits, texts, answers, strict=True)}
    items = tuple(_item(config, cell, done.get(cell.id), server.context) for cell in data.cells)
    by_depth = [
        share(f"acc@depth={depth:g}", [item for item in items if item.detail["depth"] == depth])
        for depth in config.depths
    ]
    return (*shares(items, together(config, server)), *by_depth), items


def haystack(cell: Cell, prose: Sequence[str], sizes: dict[str, int], server: Serving) -> str:
    """Return the text of a cell: prose with the needle at its depth and the distractors elsewhere, then the question."""
    rng = random.Random(cell.seed)
    needles = [f"The code of the {where} is {code}." for where, code in cell.codes]
    used = sum(server.count_tokens([f" {text}" for text in (*needles, cell.question)])) + 8
    start = rng.randrange(len(prose))
    chosen: list[str] = []
    for sentence in cycle((*prose[start:], *prose[:start])):
        if used + sizes[sentence] > cell.length:
            break
        chosen.append(sentence)
        used += sizes[sentence]
    for other in needles[1:]:
        chosen.insert(rng.randint(0, len(chosen)), other)
    lengths = [len(sentence) for sentence in chosen]
    before = [sum(lengths[:place]) for place in range(len(chosen) + 1)]
    chosen.insert(min(range(len(before)), key=lambda at: abs(before[at] - cell.depth * before[-1])), needles[0])
    return f"{' '.join(chosen)}\n\n{cell.question}"


def _item(config: Config, cell: Cell, done: tuple[str, Answer] | None, context: int) -> Item:
    detail = {"length": cell.length, "depth": cell.depth, "question": cell.question}
    text, answer = done or ("", Answer())
    if done is None:
        reason = f"{cell.length} tokens and an answer of {config.max_tokens} do not fit a slot's context of {context}"
        judged = Judgement("unknown", reason, detail)
    else:
        found = judge(config, cell, answer)
        judged = Judgement(found.verdict, found.reason, detail)
    shown_text = text if len(text) <= 600 else f"{text[:280]} … {text[-280:]}"
    return item_of(cell.id, str(cell.length), shown_text, answer, cell.codes[0][1], judged)


def judge(config: Config, cell: Cell, answer: Answer) -> Judgement:
    """Return what an answer is worth."""
    if unknown := trouble(answer):
        return unknown
    (_, code), *others = cell.codes
    wrong = [other for _, other in others if contains(answer.content, [other])]
    if contains(answer.content, [code]) and not wrong:
        return Judgement("right")
    if words := cut_off(answer, config.max_tokens):
        return Judgement("unknown", words)
    return Judgement("wrong", f"it holds the code of another: {wrong[0]}" if wrong else "the code is not in the answer")
