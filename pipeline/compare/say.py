"""A comparison in words, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.compare.model import Change, Comparison, Flip, Task

NAMED = 20


def lines(comparison: Comparison) -> Iterator[str]:
    """Yield the verdict, then what each task says."""
    yield f"{comparison.a} -> {comparison.b}: {comparison.verdict}{_anyway(comparison)}"
    tests = sum(task.p is not None for task in comparison.tasks)
    for task in comparison.tasks:
        yield f"  {task.stage} {task.name}: {task.verdict}"
        for obstacle in task.obstacles:
            yield f"    not the same {obstacle.what}: {obstacle.said}"
        if task.difference is not None:
            yield from _numbers(task, tests)
        yield from _left_out(task)
    for side, names in ((comparison.a, comparison.only_a), (comparison.b, comparison.only_b)):
        if names:
            yield f"  only on record for {side}: {', '.join(names)}"


def _anyway(comparison: Comparison) -> str:
    what = dict.fromkeys(obstacle.what for task in comparison.tasks for obstacle in task.obstacles)
    return f"  (compared anyway, though not the same: {', '.join(what)})" if comparison.anyway and what else ""


def _numbers(task: Task, tests: int) -> Iterator[str]:
    better = "" if task.higher_is_better else ", less is better"
    interval = f", 95 % interval {task.low:+.4g} to {task.high:+.4g}" if _known(task.low, task.high) else ""
    yield f"    {task.metric} {task.a:.4g} -> {task.b:.4g}: {task.difference:+.4g}{interval} ({task.unit or 'score'}{better})"
    holm = f", {task.p_holm:.3g} by Holm over {tests} tasks" if tests > 1 else ""
    yield f"    p {task.p:.3g}{holm}; {task.test}; {task.n} pairs, {task.ties} of them equal"
    if task.verdict is Change.NOT_SHOWN:
        yield f"    {least(task)}"
    yield from _named("pass -> fail", task.broken)
    yield from _named("fail -> pass", task.mended)


def _known(*values: float | None) -> bool:
    return None not in values


def obstructed(task: Task) -> str:
    """Return why a task has no numbers."""
    return "; ".join(f"not the same {one.what}: {one.said}" for one in task.obstacles) or "nothing to compare"


def least(task: Task) -> str:
    """Return what a difference that was not shown may still be."""
    if task.ties == task.n and not task.least:
        return f"all {task.n} pairs are equal"
    if task.least is None:
        return f"{task.n} pairs are too few to show any difference"
    return f"a difference of {task.least:.3g} would have shown 8 times out of 10; a smaller one may be there"


def _named(title: str, flips: Sequence[Flip]) -> Iterator[str]:
    if flips:
        unstable = sum(flip.unstable for flip in flips)
        within = f", {unstable} of them unstable: their answer turns on less than the numeric noise" if unstable else ""
        names = ", ".join(f"{flip.id}{' (unstable)' if flip.unstable else ''}" for flip in flips[:NAMED])
        yield f"    {title}: {len(flips)}{within}: {names}{_more(flips)}"


def _left_out(task: Task) -> Iterator[str]:
    for why, ids in (("unknown on a side", task.unknown), ("without a counterpart", task.alone)):
        if ids:
            yield f"    left out, {why}: {len(ids)}: {', '.join(ids[:NAMED])}{_more(ids)}"


def _more(items: Sequence[object]) -> str:
    return f" and {len(items) - NAMED} more (--json names all)" if len(items) > NAMED else ""
