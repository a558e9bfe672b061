"""The verdict: pairs in, better or worse or not shown out, for each task and for all."""

from __future__ import annotations

import math
from dataclasses import replace

from pipeline.compare.model import Change, Comparison, Flip, Obstacle, Side, Task
from pipeline.compare.obstacles import obstacles
from pipeline.compare.pair import Pair, Paired, pair
from pipeline.evals.paired import ALPHA, bootstrap, holm, least_mean, least_share, mcnemar, newcombe, sign_flip
from pipeline.record.model import Run

MCNEMAR = "McNemar, exact"


def compare(a: Side, b: Side, *, anyway: bool = False) -> Comparison:
    """Compare two sides, suite by suite. With ``anyway``, what stands in the way is said and passed over.

    A task is better or worse where p, adjusted by Holm's method for the number of tasks, is at most 0.05. The whole is
    incomparable if a task is, or if there is none in common, else worse if a task is worse, else better if one is
    better: a gain here does not make up for a loss there.
    """
    ours, theirs = _by_task(a), _by_task(b)
    common = [key for key in ours if key in theirs]
    tasks = [_task(ours[key], theirs[key], a, b, anyway) for key in common]
    adjusted = holm({f"{task.stage} {task.name}": task.p for task, _ in tasks if task.p is not None})
    level = ALPHA / max(1, len(adjusted))  # what Holm's method asks of the smallest p
    judged = tuple(_judge(task, pairs, adjusted.get(f"{task.stage} {task.name}"), level) for task, pairs in tasks)
    verdicts = {task.verdict for task in judged}
    order = (Change.INCOMPARABLE, Change.WORSE, Change.BETTER)
    open_verdict = Change.NOT_SHOWN if judged else Change.INCOMPARABLE
    return Comparison(
        a=a.name,
        b=b.name,
        lock_a=str(a.lock.digest),
        lock_b=str(b.lock.digest),
        verdict=next((change for change in order if change in verdicts), open_verdict),
        tasks=judged,
        only_a=tuple(" ".join(key) for key in ours if key not in theirs),
        only_b=tuple(" ".join(key) for key in theirs if key not in ours),
        anyway=anyway,
    )


def _by_task(side: Side) -> dict[tuple[str, str], Run]:
    return {(run.key.stage, run.key.subject): run for run in side.runs if run.key.stage in ("check", "eval")}


def _task(a: Run, b: Run, side_a: Side, side_b: Side, anyway: bool) -> tuple[Task, tuple[Pair, ...]]:
    evaluation = a.result.evaluation
    kind = evaluation.kind if evaluation else "behaviour"
    found = obstacles(a, b, side_a.lock, side_b.lock)
    task = Task(a.key.stage, a.key.subject, kind, Change.INCOMPARABLE, a.id, b.id, obstacles=found)
    if found and not anyway:
        return task, ()
    paired = pair(a, b)
    task = replace(
        task,
        metric=paired.metric,
        unit=paired.unit,
        higher_is_better=paired.higher_is_better,
        unknown=paired.unknown,
        alone=paired.alone,
    )
    if paired.fault:
        return replace(task, obstacles=(*found, Obstacle("items", paired.fault))), ()
    task = replace(task, verdict=Change.NOT_SHOWN, n=len(paired.pairs))
    return _shares(task, paired) if paired.binary else _means(task, paired), paired.pairs


def _shares(task: Task, paired: Paired) -> Task:
    """Return the task with the numbers of items that are right or wrong."""
    pairs, n = paired.pairs, len(paired.pairs)
    broken = tuple(Flip(pair.id, pair.unstable) for pair in pairs if pair.a > pair.b)
    mended = tuple(Flip(pair.id, pair.unstable) for pair in pairs if pair.b > pair.a)
    both = sum(pair.a == pair.b == 1.0 for pair in pairs)
    lost, gained = len(broken), len(mended)
    low, high = newcombe(both, lost, gained, n - both - lost - gained)
    return replace(
        task,
        unit="share",
        a=(both + lost) / n,
        b=(both + gained) / n,
        difference=(gained - lost) / n,
        low=low,
        high=high,
        interval="Newcombe's, paired",
        test=MCNEMAR,
        p=mcnemar(gained, lost),
        ties=n - lost - gained,
        broken=broken,
        mended=mended,
    )


def _means(task: Task, paired: Paired) -> Task:
    """Return the task with the numbers of items that have other scores."""
    pairs = paired.pairs
    weights = [pair.weight for pair in pairs]
    differences = [pair.b - pair.a for pair in pairs]
    low, high = bootstrap(differences, weights) or (None, None)
    a, b, difference = (
        math.fsum(value * weight for value, weight in zip(values, weights, strict=True)) / math.fsum(weights)
        for values in ([pair.a for pair in pairs], [pair.b for pair in pairs], differences)
    )
    return replace(
        task,
        a=a,
        b=b,
        difference=difference,
        low=low,
        high=high,
        interval="paired bootstrap, BCa",
        test="paired randomization",
        p=sign_flip(differences, weights),
        ties=sum(pair.a == pair.b for pair in pairs),
    )


def _judge(task: Task, pairs: tuple[Pair, ...], p_holm: float | None, level: float) -> Task:
    if p_holm is None or task.difference is None:
        return task
    if task.test == MCNEMAR:
        least = least_share(len(task.broken) + len(task.mended), task.n, alpha=level)
    else:
        least = least_mean([pair.b - pair.a for pair in pairs], alpha=level)
    verdict = Change.NOT_SHOWN
    if p_holm <= ALPHA and task.difference:
        verdict = Change.BETTER if (task.difference > 0) is task.higher_is_better else Change.WORSE
    return replace(task, verdict=verdict, p_holm=p_holm, least=least)
