"""Perplexity: how surprised the model is by a text, or by answers after their prompts.

Over a text it is llama-perplexity's definition, so that figures compare: windows of ``context`` tokens; in each, the
model reads the first half, and the tokens after place ``context // 2`` are scored; where the model wants BOS, it takes
the place of the window's first token; what is left at the end is left out. The error is that of a mean of independent
tokens, as llama-perplexity prints it; tokens of one text are not quite independent, so the true one is somewhat larger.

Over pairs, every token of each continuation is scored after its context.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.core.errors import UsageError
from pipeline.core.progress import Progress
from pipeline.evals.intervals import Z95, mean_and_error
from pipeline.evals.kinds._base import File, Measured, Needs, Suite, Text
from pipeline.evals.model import Item, Metric
from pipeline.evals.rows import read_rows, read_text
from pipeline.evals.windows import Piece, windows

if TYPE_CHECKING:
    from pipeline.runtime.binding import Scorer

NEEDS: Needs = "scorer"
LOWER_IS_BETTER = True
EXAMPLE: dict[str, Any] = {
    "kind": "perplexity",
    "version": "1",
    "license": "CC0-1.0",
    "source": "written for this suite",
    "description": "what it tells",
    "prompt": "plain",
    "text": "text.txt",
    "context": 512,
}


class Config(Suite):
    """Either ``text``, a file read in windows of ``context`` tokens that begin every ``stride`` tokens (default:
    ``context``), or ``pairs``, a file of JSON lines. With ``prompt: chat`` special tokens such as ``<|im_start|>`` are
    read as tokens."""

    kind: Literal["perplexity"]
    prompt: Literal["plain", "chat"] = "plain"
    text: File | None = None
    pairs: File | None = None
    context: Annotated[int, Field(ge=8, le=1 << 20)] = 512
    stride: Annotated[int, Field(ge=4, le=1 << 20)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.text is None) == (self.pairs is None):
            raise ValueError("give either text or pairs")
        if self.stride is not None and not self.context // 2 <= self.stride <= self.context:
            raise ValueError(
                "stride must lie between half of context and context: no token is scored twice or left out"
            )
        return self


class Pair(BaseModel):
    """One line of pairs: ``continuation`` is scored after ``context``."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: Text
    context: Text
    continuation: Text


def load(config: Config, folder: Path) -> str | tuple[Pair, ...]:
    """Return the text, or the pairs. Raises SpecError when the file is missing or empty, or a line is faulty."""
    return read_text(folder / config.text) if config.text else read_rows(folder / str(config.pairs), Pair)


def measure(config: Config, data: str | Sequence[Pair], scorer: Scorer, progress: Progress) -> Measured:
    """Score the data. An item is a window or a pair; its score is the mean negative log-likelihood of its tokens, in
    nats. Pairs that are longer than the model's context are ``unknown``: neither counted nor passed over in silence."""
    lost, order = list[tuple[Piece, str]](), dict[str, int]()
    if isinstance(data, str):
        tokens = scorer.tokenize(data, special=config.prompt == "chat")
        pieces = windows(tokens, scorer.bos, config.context, config.stride)
    else:
        pieces = _pairs(config, data, scorer)
        lost = [(piece, why) for piece in pieces if (why := scorer.too_long(piece.group))]
        order = {piece.id: place for place, piece in enumerate(pieces)}
        pieces = [piece for piece in pieces if not scorer.too_long(piece.group)]
    if not pieces:
        raise UsageError("every pair is longer than the model's context", hint="shorten them")
    scores = []
    with progress.task("scoring text", len(pieces), "windows" if isinstance(data, str) else "pairs") as task:
        for scored in scorer.score(piece.group for piece in pieces):
            scores.append(scored[0])
            task.advance(1)
    nll = [-logprob for score in scores for logprob in score]
    sizes = [sum(map(scorer.piece_bytes, piece.group.suffixes[0])) for piece in pieces]
    mean, error = mean_and_error(nll)
    per_byte = len(nll) / sum(sizes) / math.log(2)
    metrics: tuple[Metric, ...] = (
        Metric("perplexity", _exp(mean), "", *_interval(mean, error, _exp), len(nll)),
        Metric("nll", mean, "nats/token", *_interval(mean, error, float), len(nll)),
        Metric("bits_per_byte", mean * per_byte, "bits/byte", *_interval(mean, error, per_byte.__mul__), len(nll)),
    )
    if lost:
        metrics = (*metrics, Metric("unknown", float(len(lost)), "items", n=len(pieces) + len(lost)))
    items = [Item(piece.id, 0.0, {"verdict": "unknown", "reason": why, "text": piece.text}) for piece, why in lost]
    for piece, score, size in zip(pieces, scores, sizes, strict=True):
        detail = {"text": piece.text, "tokens": len(score), "bytes": size, "logprob": round(sum(score), 6)}
        items.append(Item(piece.id, round(-sum(score) / len(score), 6), detail))
    return metrics, tuple(sorted(items, key=lambda item: order.get(item.id, 0)))


def _interval(mean: float, error: float, scale: Callable[[float], float]) -> tuple[float | None, float | None]:
    """Return the 95 % interval on a scale; a single token has none."""
    if math.isinf(error):
        return None, None
    return scale(mean - Z95 * error), scale(mean + Z95 * error)


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))  # it takes no more


def _pairs(config: Config, pairs: Sequence[Pair], scorer: Scorer) -> list[Piece]:
    special = config.prompt == "chat"
    return [
        Piece(pair.id, pair.continuation, scorer.group(pair.context, [pair.continuation], special=special))
        for pair in pairs
    ]
