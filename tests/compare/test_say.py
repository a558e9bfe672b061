from __future__ import annotations

from dataclasses import replace

from pipeline.compare.model import Change, Comparison, Flip, Obstacle, Task
from pipeline.compare.say import NAMED, lines, obstructed

TASK = Task(
    *("eval", "facts", "multiple_choice", Change.WORSE, "r1", "r2", "acc", "share"),
    n=40,
    a=0.725,
    b=0.525,
    difference=-0.2,
    low=-0.34,
    high=-0.04,
    interval="Newcombe's, paired",
    test="McNemar, exact",
    p=0.0215,
    p_holm=0.043,
    least=0.2,
    ties=30,
    broken=(Flip("q1"), Flip("q2", unstable=True)),
    mended=(Flip("q9"),),
)


def said(*tasks: Task, **changes: object) -> str:
    return "\n".join(lines(replace(Comparison("a", "b", "la", "lb", Change.WORSE, tasks), **changes)))  # type: ignore[arg-type]


def test_a_task_says_numbers_test_and_every_flip() -> None:
    text = said(TASK)
    assert "a -> b: worse\n  eval facts: worse\n" in text
    assert "acc 0.725 -> 0.525: -0.2, 95 % interval -0.34 to -0.04 (share)" in text
    assert "p 0.0215; McNemar, exact; 40 pairs, 30 of them equal" in text
    assert (
        "pass -> fail: 2, 1 of them unstable: their answer turns on less than the numeric noise: q1, q2 (unstable)"
        in text
    )
    assert "fail -> pass: 1: q9" in text
    assert "by Holm" not in text
    assert "0.043 by Holm over 2 tasks" in said(TASK, TASK)


def test_what_was_not_shown_says_what_could_have_been() -> None:
    quiet = replace(TASK, verdict=Change.NOT_SHOWN, broken=(), mended=(), least=0.2)
    assert "a difference of 0.2 would have shown 8 times out of 10" in said(quiet)
    assert "40 pairs are too few to show any difference" in said(replace(quiet, least=None))
    assert "all 40 pairs are equal" in said(replace(quiet, least=0.0, ties=40))


def test_why_there_are_no_numbers() -> None:
    refused = Task(
        *("eval", "facts", "k"), Change.INCOMPARABLE, obstacles=(Obstacle("engine", "x"), Obstacle("data", "y"))
    )
    assert obstructed(refused) == "not the same engine: x; not the same data: y"
    assert obstructed(replace(refused, obstacles=())) == "nothing to compare"


def test_obstacles_and_what_was_left_out_are_named() -> None:
    refused = Task("eval", "facts", "k", Change.INCOMPARABLE, obstacles=(Obstacle("hardware", "x and y"),))
    text = said(refused, only_a=("check tools",), verdict=Change.INCOMPARABLE)
    assert "not the same hardware: x and y" in text
    assert "only on record for a: check tools" in text
    assert "compared anyway" not in text
    forced = said(replace(TASK, obstacles=refused.obstacles, unknown=("u1",), alone=("x1", "x2")), anyway=True)
    assert "(compared anyway, though not the same: hardware)" in forced
    assert "left out, unknown on a side: 1: u1" in forced
    assert "left out, without a counterpart: 2: x1, x2" in forced


def test_long_lists_are_cut_and_say_so() -> None:
    many = replace(TASK, broken=tuple(Flip(f"q{i}") for i in range(NAMED + 3)))
    assert "and 3 more (--json names all)" in said(many)
