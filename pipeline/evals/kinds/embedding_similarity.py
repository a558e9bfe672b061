"""Do the vectors of an embedding model lie as near to each other as the texts mean the same?

Each pair of texts has a similarity that people gave it. ``spearman`` is the rank correlation of the cosines with these
grades (Spearman 1904), the usual figure of semantic textual similarity; its interval is that of Bonett and Wright (2000).
``pearson`` is the plain correlation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from pipeline.core.errors import Problem, SpecError
from pipeline.core.progress import Progress
from pipeline.evals.intervals import Z95
from pipeline.evals.kinds._base import File, Measured, Needs, Suite, Text
from pipeline.evals.model import Item, Metric
from pipeline.evals.rows import read_rows
from pipeline.spec.load import shown

if TYPE_CHECKING:
    from pipeline.runtime.binding import Scorer

NEEDS: Needs = "scorer"
LOWER_IS_BETTER = True
EXAMPLE: dict[str, Any] = {
    "kind": "embedding_similarity",
    "version": "1",
    "license": "CC0-1.0",
    "source": "written for this suite",
    "description": "what it tells",
    "data": "pairs.jsonl",
}
LEAST = 10


class Config(Suite):
    """``data`` are the pairs; ``template`` is put around each text; ``pooling`` how the vectors of its tokens become one,
    where neither the spec (``engine.pooling``) nor the model's file says."""

    kind: Literal["embedding_similarity"]
    data: File
    template: str = "{text}"
    pooling: Literal["model", "mean", "cls", "last"] = "model"


class Pair(BaseModel):
    """One line of the data: ``similarity`` may be on any scale, more is nearer."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    id: Text
    a: Text
    b: Text
    similarity: float


def load(config: Config, folder: Path) -> tuple[Pair, ...]:
    """Return the pairs. Raises SpecError with every faulty line, and when there are fewer than ``LEAST`` or all have one
    grade."""
    pairs = read_rows(folder / config.data, Pair)
    if len(pairs) < LEAST or len({pair.similarity for pair in pairs}) < 2:
        said = f"a rank correlation wants {LEAST} pairs at least, of different similarity"
        raise SpecError([Problem(shown(folder / config.data), 0, 0, said)])
    return pairs


def measure(config: Config, data: Sequence[Pair], scorer: Scorer, progress: Progress) -> Measured:
    """Embed every text. An item's score is how far its rank by cosine is from its rank by grade, 0 to 1. Pairs longer than
    the model's context are ``unknown``, and count as if they had the least cosine of all."""
    texts = [[config.template.replace("{text}", text) for text in (pair.a, pair.b)] for pair in data]
    tokens = [[scorer.tokenize_whole(text) for text in both] for both in texts]
    good = [all(0 < len(one) <= scorer.trained_context for one in both) for both in tokens]
    flat = [one for both, fits in zip(tokens, good, strict=True) for one in both if fits]
    cosines = [-1.0] * len(data)
    with progress.task("embedding", len(data), "pairs") as task:
        vectors = scorer.embed(flat, config.pooling)
        for number, fits in enumerate(good):
            if fits:
                one, other = next(vectors), next(vectors)
                cosines[number] = float(one @ other)
            task.advance(1)
    grades = [pair.similarity for pair in data]
    by_cosine, by_grade = ranks(cosines), ranks(grades)
    rho, n = correlation(by_cosine, by_grade), len(data)
    items = []
    for pair, fits, cosine, place, wanted in zip(data, good, cosines, by_cosine, by_grade, strict=True):
        reason = {"verdict": "unknown", "reason": f"longer than the model's context of {scorer.trained_context} tokens"}
        detail = {"a": pair.a, "b": pair.b, "similarity": pair.similarity, "cosine": round(cosine, 6)}
        items.append(Item(pair.id, abs(place - wanted) / (n - 1), detail if fits else {**detail, **reason}))
    metrics = (
        Metric("spearman", rho, "", *_interval(rho, n), n),
        Metric("pearson", correlation(cosines, grades), "", n=n),
        Metric("unknown", float(n - sum(good)), "items", n=n),
    )
    return metrics, tuple(items)


def ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value from 1; equal ones share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in order[start : end + 1]:
            found[place] = (start + end) / 2 + 1
        start = end + 1
    return found


def correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Return Pearson's correlation; 0 where one side does not vary."""
    mean, its = math.fsum(one) / len(one), math.fsum(other) / len(other)
    both = math.fsum((a - mean) * (b - its) for a, b in zip(one, other, strict=True))
    spread = math.sqrt(math.fsum((a - mean) ** 2 for a in one) * math.fsum((b - its) ** 2 for b in other))
    return max(-1.0, min(1.0, both / spread)) if spread else 0.0


def _interval(rho: float, n: int) -> tuple[float, float]:
    error = Z95 * math.sqrt((1 + rho * rho / 2) / (n - 3))
    z = math.atanh(max(-0.999999, min(0.999999, rho)))
    return math.tanh(z - error), math.tanh(z + error)
