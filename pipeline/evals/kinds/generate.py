"""Short answers to questions, generated through the locked server and judged by a rule.

How an answer is judged is said by ``match``, for the suite or for one item:

- ``exact``: the whole answer is one of ``answer``; letter case, outer white space and quotes, emphasis and one final mark
  don't count.
- ``contains``: one of ``answer`` stands in it as whole words.
- ``numeric``: its last number is ``answer``, to within ``tolerance`` of its size.
- ``regex``: ``answer`` is a regular expression that is found in it.
- ``choice``: it takes the choice with index ``answer``, by letter (``B``, ``B. Rome``, ``The answer is B``) or by text.
- ``schema``: it is JSON, bare or in one code fence, that fits ``answer``, a JSON Schema.

All texts are compared in Unicode's NFKC form. An answer that the server could not give, that the end of the context cut
off, or that takes a pattern longer than two seconds, is unknown: it counts among all, never among the right. Intervals:
Wilson, 95 %.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.core.progress import Progress
from pipeline.core.search import Unsearchable
from pipeline.evals import matching
from pipeline.evals.asking import Asked, answers_of, request_of, together
from pipeline.evals.data import Data, place
from pipeline.evals.judged import Judgement, cut_off, item_of, shares, trouble
from pipeline.evals.kinds._base import Measured, Needs, Text
from pipeline.evals.rows import read_rows
from pipeline.evals.schema import faults, require_known
from pipeline.runtime.answer import Answer

if TYPE_CHECKING:
    from pipeline.runtime.serving import Serving

NEEDS: Needs = "server"
EXAMPLE: dict[str, Any] = {
    "kind": "generate",
    "version": "1",
    "license": "CC0-1.0",
    "source": "written for this suite",
    "description": "what it tells",
    "question": "{question}\nAnswer with the number alone.",
    "match": "numeric",
    "max_tokens": 32,
    "data": "items.jsonl",
}
Match = Literal["exact", "contains", "numeric", "regex", "choice", "schema"]


class Config(Asked):
    """``question`` is the text that is asked, with the item's ``{question}`` filled in, and for ``choice`` its ``{choices}``
    as lettered lines. ``take`` says which part of an answer is judged: all of it, or its first or last line that isn't
    empty."""

    kind: Literal["generate"]
    question: Annotated[str, Field(pattern=r"\{question\}")] = "{question}"
    match: Match = "exact"
    take: Literal["whole", "first_line", "last_line"] = "whole"
    tolerance: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    data: Data


class Row(BaseModel):
    """One item. ``answer`` is what its ``match`` (default: the suite's) needs: a text or several, a number, the index of a
    choice, or a schema. ``skill`` groups items in the result."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    id: Text
    skill: Text = "all"
    question: Text
    choices: Annotated[tuple[Text, ...], Field(strict=False, max_length=26)] = ()
    match: Match | None = None
    answer: Any

    @field_validator("answer")
    @classmethod
    def _there(cls, value: Any) -> Any:
        if value in (None, "", [], {}):
            raise ValueError("there is no answer, so no item could be right")
        return value


def check(match: Match, row: Row) -> None:
    """Raise ValueError where a row's answer is not what its match needs."""
    answer = row.answer
    if match in ("exact", "contains"):
        texts = answer if isinstance(answer, list) else [answer]
        if not all(isinstance(text, str) and matching.plain(text) for text in texts):
            raise ValueError(f"answer: match {match} wants text, or a list of texts, none of them empty")
    elif match == "numeric":
        if isinstance(answer, bool) or not isinstance(answer, int | float):
            raise ValueError("answer: match numeric wants a number, without quotes")
    elif match == "choice":
        if len(row.choices) < 2 or len({matching.plain(one) for one in row.choices}) < len(row.choices):
            raise ValueError("choices: match choice wants two at least, no two of them equal")
        if isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer < len(row.choices):
            raise ValueError(f"answer: wants the index of one of {len(row.choices)} choices, counted from 0")
    elif match == "regex":
        try:
            re.compile(answer)
        except (re.error, TypeError) as error:
            raise ValueError(f"answer: no regular expression: {error}") from None
    else:
        require_known(answer)


def load(config: Config, folder: Path) -> tuple[Row, ...]:
    """Return the items. Raises SpecError with every faulty one, DigestMismatch for other data."""
    return read_rows(place(config.data, folder), Row, lambda row: check(row.match or config.match, row))


def measure(config: Config, data: Sequence[Row], server: Serving, progress: Progress) -> Measured:
    """Ask every question and judge the answers. An item's score is 1 when its answer is right, 0 otherwise."""
    texts = [ask_text(config, row) for row in data]
    requests = [request_of(config, server, text) for text in texts]
    answers = answers_of(config, server, requests, progress)
    items = tuple(
        item_of(row.id, row.skill, text, answer, row.answer, judge(config, row, answer))
        for row, text, answer in zip(data, texts, answers, strict=True)
    )
    return shares(items, together(config, server)), items


def ask_text(config: Config, row: Row) -> str:
    """Return the text that is asked."""
    lettered = "\n".join(f"{letter}. {one}" for letter, one in zip(matching.LETTERS, row.choices, strict=False))
    parts = re.split(r"(\{question\}|\{choices\})", config.question)
    filled = {"{question}": row.question, "{choices}": lettered}
    text = "".join(filled.get(part, part) for part in parts)
    return text if "{choices}" in parts or not lettered else f"{text}\n{lettered}"


def judge(config: Config, row: Row, answer: Answer) -> Judgement:
    """Return what an answer is worth."""
    if unknown := trouble(answer):
        return unknown
    match = row.match or config.match
    text = taken(config.take, answer.content)
    try:
        right, reason = _judge(match, row, text, config.tolerance)
    except Unsearchable as error:
        return Judgement("unknown", str(error))
    if not right and (words := cut_off(answer, config.max_tokens)):
        return Judgement("unknown", words)
    if not right and answer.calls:
        reason = f"a tool call came, where none was offered: {answer.calls[0]}"
    if not right and answer.finish_reason == "length":
        reason = f"{reason}; it did not end within {config.max_tokens} tokens"
    return Judgement("right" if right else "wrong", "" if right else reason)


def taken(take: str, content: str) -> str:
    """Return the part of an answer that is judged."""
    lines = [line for line in content.splitlines() if line.strip()]
    if take == "whole" or not lines:
        return content
    return lines[0] if take == "first_line" else lines[-1]


def _judge(match: Match, row: Row, text: str, tolerance: float) -> tuple[bool, str]:
    wanted = row.answer
    texts = wanted if isinstance(wanted, list) else [wanted]
    if match == "exact":
        return matching.exact(text, texts), "the answer is another text"
    if match == "contains":
        return matching.contains(text, texts), "the answer holds none of the texts wanted"
    if match == "regex":
        return matching.regex(text, wanted), "the pattern is not in the answer"
    if match == "numeric":
        found = matching.last_number(text)
        reason = "there is no number in the answer" if found is None else f"the last number is {found}"
        return matching.numeric(text, Decimal(str(wanted)), tolerance), reason
    if match == "choice":
        picked = matching.choice(text, row.choices)
        return (
            picked == wanted,
            "no choice is taken" if picked is None else f"choice {matching.LETTERS[picked]} is taken",
        )
    try:
        value = matching.json_of(text)
    except ValueError as error:
        return False, f"the answer is no JSON: {error}"
    found_faults = list(faults(value, wanted))
    return not found_faults, "; ".join(found_faults[:3])
