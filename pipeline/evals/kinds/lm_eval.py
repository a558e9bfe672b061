"""A task of the LM Evaluation Harness (Gao et al. 2021), its YAML file as it is, scored by our own scorer.

``acc`` and ``acc_norm`` are the harness's: the choice with the highest sum of log-probabilities, and with the highest sum
for each character. Noise, unstable and unknown items are those of multiple_choice. A ``loglikelihood`` task gives ``acc``,
the share of items whose text the model would have written greedily, and the texts' ``perplexity``.

Tasks that draw random examples, need Python code or generate text are not read: ``assay eval NAME --lm-eval TASK`` runs
them in the harness itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pipeline.core.progress import Progress
from pipeline.evals.choices import Question, measure_choices, unknown
from pipeline.evals.intervals import Z95, mean_and_error, wilson
from pipeline.evals.kinds._base import File, Measured, Needs, Suite
from pipeline.evals.model import Item, Metric
from pipeline.evals.task import Asked, Task, questions, read_task
from pipeline.runtime.packing import Group
from pipeline.spec.load import read_model

if TYPE_CHECKING:
    from pipeline.runtime.binding import Scorer

NEEDS: Needs = "scorer"
EXAMPLE: dict[str, Any] = {
    "kind": "lm_eval",
    "version": "1",
    "license": "CC0-1.0",
    "source": "written for this suite",
    "description": "what it tells",
    "task": "task.yaml",
    "data": {"test": "items.jsonl"},
}


class Config(Suite):
    """``task`` is the harness's file, unchanged; ``data`` names the file of each split in the suite's folder, where the
    task's own ``data_files`` don't."""

    kind: Literal["lm_eval"]
    task: File
    data: dict[str, File] = Field(default_factory=dict)


@dataclass(frozen=True)
class Data:
    """The task, and its documents as they are asked."""

    task: Task
    asked: tuple[Asked, ...]


def load(config: Config, folder: Path) -> Data:
    """Return the task's documents, rendered in a bounded process. Raises SpecError for what is not read, or faulty."""
    task = read_model(folder / config.task, Task)
    return Data(task, read_task(task, folder, config.data))


def measure(config: Config, data: Data, scorer: Scorer, progress: Progress) -> Measured:
    """Score every document. An item's score is 1 when the model finds the right choice, or the text, most likely."""
    if data.task.output_type == "loglikelihood":
        return _texts(data, scorer, progress)
    made = (
        Question(asked.id, data.task.task, asked.context, texts, asked.choices, asked.targets)
        for asked, texts in questions(data.task, data.asked)
    )
    return measure_choices(made, len(data.asked), scorer, progress, size=len)


def _texts(data: Data, scorer: Scorer, progress: Progress) -> Measured:
    from pipeline.runtime.readers import Greedy

    items: dict[int, Item] = {}
    waiting: list[tuple[int, Asked, Group]] = []
    for number, (asked, texts) in enumerate(questions(data.task, data.asked)):
        group = scorer.group(asked.context, texts)
        if why := scorer.too_long(group):
            question = Question(asked.id, data.task.task, asked.context, texts, (asked.target,), (0,))
            items[number] = unknown(question, why)
        else:
            waiting.append((number, asked, group))
    with progress.task("scoring texts", len(waiting), "items") as task:
        scored = scorer.read((group for _, _, group in waiting), Greedy())
        for (number, asked, _), (_, rows) in zip(waiting, scored, strict=True):
            greedy = bool(rows[:, 1].all())
            detail = {
                "verdict": "right" if greedy else "wrong",
                "skill": data.task.task,
                "prompt": asked.context,
                "wanted": asked.target,
                "logprob": round(float(rows[:, 0].sum()), 6),
                "logprobs": [round(float(logprob), 6) for logprob in rows[:, 0]],
                "tokens": len(rows),
                "bytes": len(asked.target.encode()),
            }
            items[number] = Item(asked.id, float(greedy), detail)
            task.advance(1)
    ordered = tuple(items[number] for number in sorted(items))
    return _metrics(ordered), ordered


def _metrics(items: Sequence[Item]) -> tuple[Metric, ...]:
    right, lost = sum(item.score for item in items), sum(item.detail["verdict"] == "unknown" for item in items)
    low, high = wilson(round(right), len(items))
    metrics = [Metric("acc", right / len(items), "share", low, high, len(items))]
    nll = [-item.detail["logprob"] for item in items if "logprob" in item.detail]
    if nll:
        mean, error = mean_and_error(nll)
        least, most = (
            (None, None)
            if math.isinf(error)
            else (math.exp(min(mean - Z95 * error, 700.0)), math.exp(min(mean + Z95 * error, 700.0)))
        )
        metrics.append(Metric("perplexity", math.exp(min(mean, 700.0)), "", least, most, len(nll)))
    return (*metrics, Metric("unknown", float(lost), "items", n=len(items)))
