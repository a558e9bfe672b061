"""Questions with choices, decided by log-likelihood: which continuation does the model find most likely?

A score is not quite a property of the model: the numbers of quantised weights move a little with the shape of a batch. A
sample of the questions is therefore scored a second time in other batches. The largest difference of a choice's sum is
the noise floor; an answer whose lead is less than twice that (both sums may move) is ``unstable``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import UsageError
from pipeline.core.progress import Progress
from pipeline.evals.intervals import wilson
from pipeline.evals.kinds._base import Measured
from pipeline.evals.model import Item, Metric
from pipeline.runtime.packing import REPACKED, Group

if TYPE_CHECKING:
    from pipeline.runtime.binding import Logprobs, Scorer

SAMPLE, SHARE = 32, 20  # so many questions are scored twice, or one in so many where that is more


@dataclass(frozen=True)
class Question:
    """``continuations`` are scored after ``context``; ``texts`` are the choices as they stand in the data, by whose
    lengths ``acc_norm`` counts. ``answers`` are the indices of the right ones."""

    id: str
    skill: str
    context: str
    continuations: tuple[str, ...]
    texts: tuple[str, ...]
    answers: tuple[int, ...]


@dataclass(frozen=True)
class Noise:
    """How far the sums of ``n`` choices moved in other batches: at most, and but for one in a hundred; in nats."""

    largest: float
    p99: float
    n: int


def measure_choices(
    questions: Iterable[Question],
    count: int,
    scorer: Scorer,
    progress: Progress,
    *,
    special: bool = False,
    size: Callable[[str], int] = lambda text: len(text.encode()),
) -> Measured:
    """Decide ``count`` questions, taken one after the other. ``special`` reads special tokens in their texts; ``size`` is
    what ``acc_norm`` divides by.

    A question that can't be scored, such as one that is longer than the model's context, is ``unknown``, with the reason,
    and counts as not right.
    """
    every = max(1, count // max(SAMPLE, count // SHARE))
    items: list[Item] = []
    sample: list[tuple[Group, list[float]]] = []
    with progress.task("scoring choices", count, "items") as task:
        for number, (question, group, scores) in enumerate(_scored(questions, scorer, special)):
            items.append(_item(question, scores, size) if not isinstance(scores, str) else unknown(question, scores))
            if group and not isinstance(scores, str) and number % every == 0:
                sample.append((group, [sum(score) for score in scores]))
            task.advance(1)
    noise = _noise(sample, scorer, progress)
    items = [_marked(item, noise) for item in items]
    return _metrics(items, noise), tuple(items)


_Scored = tuple[Question, Group | None, "tuple[Logprobs, ...] | str"]


def _scored(questions: Iterable[Question], scorer: Scorer, special: bool) -> Iterator[_Scored]:
    """Yield each question with its scores, or with the reason why there are none, in order."""
    waiting: list[tuple[Question, Group | None, str]] = []

    def groups() -> Iterator[Group]:
        for question in questions:
            try:
                group = scorer.group(question.context, question.continuations, special=special)
            except UsageError as error:  # nothing stands before the choices, or one is no text
                waiting.append((question, None, error.message))
                continue
            why = scorer.too_long(group) or ""
            waiting.append((question, None if why else group, why))
            if not why:
                yield group

    for scores in scorer.score(groups()):
        while waiting[0][1] is None:
            question, group, why = waiting.pop(0)
            yield question, group, why
        question, group, _ = waiting.pop(0)
        yield question, group, scores
    yield from waiting


def _noise(sample: Sequence[tuple[Group, list[float]]], scorer: Scorer, progress: Progress) -> Noise | None:
    """Score a sample in other batches. None for no sample."""
    if not sample:
        return None
    moved: list[float] = []
    with progress.task("scoring again in other batches", len(sample), "items") as task:
        for (_, sums), scores in zip(sample, scorer.score((group for group, _ in sample), REPACKED), strict=True):
            moved += [abs(one - sum(score)) for one, score in zip(sums, scores, strict=True)]
            task.advance(1)
    moved.sort()
    return Noise(moved[-1], moved[min(len(moved) - 1, int(0.99 * len(moved)))], len(moved))


def _item(question: Question, scores: Sequence[Logprobs], size: Callable[[str], int]) -> Item:
    sums = [round(sum(score), 6) for score in scores]
    sizes = [size(text) for text in question.texts]
    picked = max(range(len(sums)), key=sums.__getitem__)
    picked_norm = max(range(len(sums)), key=lambda i: sums[i] / sizes[i])
    choices = [
        {
            "text": text,
            "logprob": total,
            "tokens": len(score),
            "bytes": len(text.encode()),
            "logprobs": [round(logprob, 6) for logprob in score],
        }
        for text, total, score in zip(question.texts, sums, scores, strict=True)
    ]
    right, others = (
        [total for i, total in enumerate(sums) if (i in question.answers) is wanted] for wanted in (True, False)
    )
    verdict = "right" if picked in question.answers else "wrong"
    detail = {
        "verdict": verdict,
        "skill": question.skill,
        "prompt": question.context,
        "choices": choices,
        "answer": question.answers[0],
        **({"answers": list(question.answers)} if len(question.answers) > 1 else {}),
        "picked": picked,
        "picked_norm": picked_norm,
        "margin": round(max(right) - max(others), 6) if others else 0.0,
    }
    return Item(question.id, float(verdict == "right"), detail)


def unknown(question: Question, reason: str) -> Item:
    """Return a question that could not be decided."""
    detail: dict[str, Any] = {
        "verdict": "unknown",
        "reason": reason,
        "skill": question.skill,
        "prompt": question.context[:2000],
        "choices": [{"text": text} for text in question.texts],
        "answer": question.answers[0],
    }
    return Item(question.id, 0.0, detail)


def _marked(item: Item, noise: Noise | None) -> Item:
    """Say of an item whether its verdict is within the noise."""
    if noise is None or "margin" not in item.detail:
        return item
    return replace(item, detail={**item.detail, "unstable": abs(item.detail["margin"]) < 2 * noise.largest})


def _metrics(items: Sequence[Item], noise: Noise | None) -> tuple[Metric, ...]:
    metrics = [_share("acc", items, "picked"), _share("acc_norm", items, "picked_norm")]
    skills = sorted({str(item.detail["skill"]) for item in items})
    metrics += [_share(f"acc@{skill}", [i for i in items if i.detail["skill"] == skill], "picked") for skill in skills]
    stable = [item for item in items if not item.detail.get("unstable")]
    if stable:
        metrics.append(_share("acc_stable", stable, "picked"))
    metrics.append(Metric("unstable", float(len(items) - len(stable)), "items", n=len(items)))
    lost = sum(item.detail["verdict"] == "unknown" for item in items)
    metrics.append(Metric("unknown", float(lost), "items", n=len(items)))
    if noise:
        metrics.append(Metric("noise", noise.largest, "nats", n=noise.n))
        metrics.append(Metric("noise_p99", noise.p99, "nats", n=noise.n))
    return tuple(metrics)


def _share(name: str, items: Sequence[Item], picked: str) -> Metric:
    right = sum(item.detail.get(picked) in item.detail.get("answers", [item.detail["answer"]]) for item in items)
    low, high = wilson(right, len(items))
    return Metric(name, right / len(items), "share", low, high, len(items))
