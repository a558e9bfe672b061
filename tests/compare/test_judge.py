from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.compare.judge import compare
from pipeline.compare.model import Change, Comparison, Side
from pipeline.evals.model import EvalResult, Item, Metric
from pipeline.record.model import Run, StageResult
from tests import factories as make

LOCK = make.lock()


def choices(right: list[bool], suite: str = "tiny-choice") -> Run:
    items = tuple(Item(f"q{i:03d}", float(one)) for i, one in enumerate(right))
    metric = Metric("acc", sum(right) / len(right)) if right else Metric("acc", 0.0)
    return make.run(LOCK, "eval", suite, StageResult(evaluation=EvalResult(suite, "multiple_choice", (metric,), items)))


def texts(means: list[float]) -> Run:
    items = tuple(
        Item(f"w{i}", mean, {"logprob": -10 * mean, "tokens": 10, "bytes": 40}) for i, mean in enumerate(means)
    )
    result = EvalResult("tiny-perplexity", "perplexity", (Metric("perplexity", 3.0),), items)
    return make.run(LOCK, "eval", "tiny-perplexity", StageResult(evaluation=result))


def against(a: list[Run], b: list[Run], anyway: bool = False) -> Comparison:
    return compare(Side("a", LOCK, tuple(a)), Side("b", LOCK, tuple(b)), anyway=anyway)


def test_nine_items_lost_and_one_gained_of_forty_is_worse() -> None:
    before = [True] * 29 + [False] * 11
    after = [False] * 9 + [True] * 21 + [False] * 10
    found = against([choices(before)], [choices(after)])
    (task,) = found.tasks
    assert found.verdict is task.verdict is Change.WORSE
    assert (task.n, task.a, task.b, task.ties) == (40, 29 / 40, 21 / 40, 30)
    assert task.difference == pytest.approx(-0.2)
    assert task.p == task.p_holm == 2 * (1 + 10) / 2**10
    assert task.low is not None and task.high is not None and task.low < -0.2 < task.high < 0
    assert [flip.id for flip in task.broken] == [f"q{i:03d}" for i in range(9)]
    assert [flip.id for flip in task.mended] == ["q029"]
    assert (task.metric, task.test) == ("acc", "McNemar, exact")
    back = against([choices(after)], [choices(before)])
    assert back.verdict is Change.BETTER
    assert (back.tasks[0].broken, back.tasks[0].mended) == (task.mended, task.broken)


def test_equal_answers_show_nothing_and_the_least_effect_is_told() -> None:
    same = choices([True, False] * 30)
    (task,) = against([same], [same]).tasks
    assert task.verdict is Change.NOT_SHOWN
    assert (task.difference, task.p, task.ties) == (0.0, 1.0, 60)
    assert task.low is not None and task.high is not None and task.low < 0 < task.high
    assert task.least is not None and 0.05 < task.least < 0.2


def test_one_item_and_five_can_show_nothing() -> None:
    for n in (1, 5):
        (task,) = against([choices([True] * n)], [choices([False] * n)]).tasks
        assert task.verdict is Change.NOT_SHOWN
        assert task.least is None
    (task,) = against([choices([True] * 6)], [choices([False] * 6)]).tasks
    assert task.verdict is Change.WORSE


def test_no_pair_is_incomparable_even_anyway() -> None:
    for anyway in (False, True):
        found = against([choices([])], [choices([])], anyway)
        assert found.verdict is Change.INCOMPARABLE
        assert found.tasks[0].obstacles[0].what == "items"


def test_less_is_better_for_perplexity() -> None:
    before = [1.0, 1.2, 0.9, 1.1, 1.3, 1.0, 0.8, 1.2]
    after = [mean + 0.1 + i / 100 for i, mean in enumerate(before)]
    found = against([texts(before)], [texts(after)])
    (task,) = found.tasks
    assert found.verdict is Change.WORSE
    assert task.difference == pytest.approx(0.135)
    assert task.p == 2 / 2**8
    assert task.low is not None and task.high is not None and 0.1 < task.low < 0.135 < task.high < 0.17
    assert task.broken == task.mended == ()
    assert against([texts(after)], [texts(before)]).verdict is Change.BETTER


def test_one_window_has_no_interval() -> None:
    (task,) = against([texts([1.0])], [texts([2.0])]).tasks
    assert (task.low, task.high, task.p, task.least) == (None, None, 1.0, None)
    assert task.verdict is Change.NOT_SHOWN


def test_holm_over_tasks_takes_back_what_one_test_would_show() -> None:
    lost = choices([True] * 6 + [True] * 20), choices([False] * 6 + [True] * 20)
    assert against([lost[0]], [lost[1]]).verdict is Change.WORSE  # p 1/32
    also = texts([1.0, 2.0, 3.0]), texts([1.5, 1.5, 3.0])
    found = against([lost[0], also[0]], [lost[1], also[1]])
    assert found.verdict is Change.NOT_SHOWN
    task = next(task for task in found.tasks if task.name == "tiny-choice")
    assert (task.p, task.p_holm) == (1 / 32, 1 / 16)


def test_more_tasks_ask_for_larger_effects() -> None:
    means = [1.0 + i / 10 for i in range(12)], [1.0 + i / 9 for i in range(12)]
    right = [True, False] * 20
    alone = against([texts(means[0])], [texts(means[1])]).tasks[0].least
    both = against([texts(means[0]), choices(right)], [texts(means[1]), choices(right)]).tasks
    assert alone is not None and both[0].least is not None
    assert both[0].least == pytest.approx(alone * (2.2414 + 0.8416) / (1.9600 + 0.8416), rel=1e-3)
    (single,) = against([choices(right)], [choices(right)]).tasks
    assert single.least is not None and both[1].least is not None and both[1].least > single.least


def test_a_gain_does_not_make_up_for_a_loss() -> None:
    worse = choices([True] * 12), choices([False] * 12)
    better = texts([2.0 + i / 10 for i in range(9)]), texts([1.0 + i / 20 for i in range(9)])
    found = against([worse[0], better[0]], [worse[1], better[1]])
    assert {task.name: task.verdict for task in found.tasks} == {
        "tiny-choice": Change.WORSE,
        "tiny-perplexity": Change.BETTER,
    }
    assert found.verdict is Change.WORSE


def test_what_is_incomparable_has_no_numbers_unless_anyway() -> None:
    one, other = choices([True] * 8), choices([False] * 8)
    other = replace(other, key=replace(other.key, hardware_digest="sha256:another"))
    refused = against([one], [other])
    assert refused.verdict is refused.tasks[0].verdict is Change.INCOMPARABLE
    assert refused.tasks[0].difference is None and refused.tasks[0].n == 0
    assert [obstacle.what for obstacle in refused.tasks[0].obstacles] == ["hardware"]
    forced = against([one], [other], anyway=True)
    assert forced.verdict is Change.WORSE and forced.anyway
    assert [obstacle.what for obstacle in forced.tasks[0].obstacles] == ["hardware"]


def test_checks_are_compared_too_and_benchmarks_never() -> None:
    runs = make.sound_runs(LOCK)
    found = against(runs, make.broken_runs(LOCK))
    tasks = {f"{task.stage} {task.name}": task for task in found.tasks}
    assert list(tasks) == ["check tiny-stop", "check tiny-tools", "eval tiny-choice"]
    assert found.only_a == ("eval tiny-perplexity",)
    assert found.only_b == ()
    assert tasks["check tiny-tools"].alone == ("required", "streaming")
    assert (tasks["check tiny-tools"].n, tasks["check tiny-tools"].ties) == (2, 2)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_turning_the_sides_turns_the_verdict(pairs: list[tuple[bool, bool]]) -> None:
    one, other = choices([a for a, _ in pairs]), choices([b for _, b in pairs])
    (task,), (back,) = against([one], [other]).tasks, against([other], [one]).tasks
    turned = {Change.BETTER: Change.WORSE, Change.WORSE: Change.BETTER}
    assert back.verdict is turned.get(task.verdict, task.verdict)
    assert task.p == back.p and task.p is not None and 0 < task.p <= 1
    assert task.difference is not None and back.difference == pytest.approx(-task.difference)
    assert task.ties + len(task.broken) + len(task.mended) == task.n == len(pairs)
    assert task.low is not None and not math.isnan(task.low)
