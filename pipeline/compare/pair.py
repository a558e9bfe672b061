"""From two runs of one suite to pairs of scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.checks.model import Verdict
from pipeline.evals.model import EvalResult, Item
from pipeline.evals.suite import kinds
from pipeline.record.model import Run


@dataclass(frozen=True)
class Scored:
    """One item on one side: its score (None where it could not be judged), and what was asked of the model."""

    score: float | None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def unstable(self) -> bool:
        return bool(self.detail.get("unstable"))


@dataclass(frozen=True)
class Pair:
    """One item on both sides. ``weight`` is how much of the text it is, for means over tokens; else 1."""

    id: str
    a: float
    b: float
    weight: float = 1.0
    unstable: bool = False


@dataclass(frozen=True)
class Paired:
    """The pairs of a task, and the ids that make none. ``fault`` says why no number can be made of them."""

    pairs: tuple[Pair, ...]
    metric: str
    unit: str
    higher_is_better: bool
    unknown: tuple[str, ...]
    alone: tuple[str, ...]
    fault: str = ""

    @property
    def binary(self) -> bool:
        """Whether every item is right or wrong."""
        return all(score in (0.0, 1.0) for pair in self.pairs for score in (pair.a, pair.b))


def pair(a: Run, b: Run) -> Paired:
    """Pair two runs of one suite by the ids of their items; order and what only one has don't matter."""
    ours, theirs = _scored(a), _scored(b)
    common = [id for id in ours if id in theirs]
    alone = tuple(id for id in (*ours, *theirs) if (id in ours) != (id in theirs))
    both = {id: (ours[id], theirs[id]) for id in common}
    unknown = tuple(id for id, sides in both.items() if None in (sides[0].score, sides[1].score))
    asked = {id: sides for id, sides in both.items() if id not in unknown}
    same_suite = a.key.subject_digest == b.key.subject_digest
    other = [id for id, sides in asked.items() if not _same_question(*sides, same_suite)]
    asked = {id: sides for id, sides in asked.items() if id not in other}
    metric, unit, higher = _metric(a, b)
    fault = ""
    if other and not asked:
        fault = "the items hold other text, as when two tokenizers cut one text: no two can be paired"
    elif not asked:
        fault = "no item has a score on both sides"
    pairs: tuple[Pair, ...]
    if asked and all(_measures_text(side) for sides in asked.values() for side in sides):
        metric, unit, pairs = _of_text(asked)
    else:
        pairs = tuple(Pair(id, *_scores(*sides), 1.0, _any_unstable(sides)) for id, sides in asked.items())
    return Paired(pairs, metric, unit, higher, unknown, (*alone, *other), fault)


def _scored(run: Run) -> dict[str, Scored]:
    if run.result.evaluation:
        return {item.id: Scored(_score(item), item.detail) for item in run.result.evaluation.items}
    attempts: dict[str, list[float]] = {}
    for outcome in run.result.outcomes:  # a case that is asked several times is one item: its share of passes
        passed = attempts.setdefault(outcome.case, [])
        if outcome.verdict in (Verdict.PASS, Verdict.FAIL):
            passed.append(float(outcome.verdict is Verdict.PASS))
    return {case: Scored(math.fsum(passed) / len(passed) if passed else None) for case, passed in attempts.items()}


def _score(item: Item) -> float | None:
    known: float | None = item.score
    return None if known is None or not math.isfinite(known) or item.detail.get("verdict") == "unknown" else known


def _scores(a: Scored, b: Scored) -> tuple[float, float]:
    assert a.score is not None and b.score is not None
    return a.score, b.score


def _any_unstable(sides: tuple[Scored, Scored]) -> bool:
    return sides[0].unstable or sides[1].unstable


def _same_question(a: Scored, b: Scored, same_suite: bool) -> bool:
    """Windows of another tokenizer have the same names and hold other text; items of another version may ask another
    question."""
    keys = ("bytes",) if same_suite else ("bytes", "prompt", "wanted")
    known = [(a.detail[key], b.detail[key]) for key in keys if key in a.detail and key in b.detail]
    return all(one == other for one, other in known) and (same_suite or _choices(a) == _choices(b))


def _choices(side: Scored) -> object:
    """Return the texts of the choices, and which is right."""
    choices = side.detail.get("choices")
    return ([choice.get("text") for choice in choices], side.detail.get("answer")) if choices else None


def _measures_text(side: Scored) -> bool:
    detail = side.detail
    return "choices" not in detail and all(
        isinstance(detail.get(key), int | float) and not isinstance(detail.get(key), bool)
        for key in ("logprob", "tokens", "bytes")
    )


def _of_text(asked: Mapping[str, tuple[Scored, Scored]]) -> tuple[str, str, tuple[Pair, ...]]:
    """Return pairs of mean surprise: by token where both count the same tokens, else by byte."""
    by_token = all(a.detail["tokens"] == b.detail["tokens"] for a, b in asked.values())
    per, scale = ("tokens", 1.0) if by_token else ("bytes", math.log(2))
    pairs = []
    for id, sides in asked.items():
        size = float(max(sides[0].detail[per], 1))
        a, b = (-side.detail["logprob"] / scale / size for side in sides)
        pairs.append(Pair(id, a, b, size, _any_unstable(sides)))
    return ("nll", "nats/token", tuple(pairs)) if by_token else ("bits_per_byte", "bits/byte", tuple(pairs))


def _metric(a: Run, b: Run) -> tuple[str, str, bool]:
    results = a.result.evaluation, b.result.evaluation
    if not results[0] or not results[1]:
        return "passed", "share", True
    kind = kinds().get(results[0].kind)
    return _name(results[0]), "", not getattr(kind, "LOWER_IS_BETTER", False)


def _name(result: EvalResult) -> str:
    """Return the metric that is the mean of the items' scores: the suite's first where that is so."""
    scores = [score for item in result.items if (score := _score(item)) is not None]
    mean = math.fsum(scores) / len(scores) if scores else None
    first = result.metrics[0] if result.metrics else None
    close = first is not None and mean is not None and math.isclose(first.value, mean, rel_tol=1e-6, abs_tol=1e-9)
    return first.name if first is not None and close else "score"
