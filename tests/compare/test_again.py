from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.checks.model import Outcome, Verdict
from pipeline.compare.again import Difference, answer_digest, differences
from pipeline.evals.model import EvalResult, Item, Metric
from pipeline.lint.model import Finding, Severity
from pipeline.record.model import StageResult


def evaluated(*items: Item, acc: float = 0.5) -> StageResult:
    return StageResult(evaluation=EvalResult("s", "multiple_choice", (Metric("acc", acc),), items))


def item(id: str, score: float, *logprobs: float, **detail: Any) -> Item:
    return Item(id, score, {"choices": [{"text": "t", "logprob": value} for value in logprobs], **detail})


def test_the_same_is_the_same_also_after_json() -> None:
    one = evaluated(item("a", 1.0, -1.0, -2.0, answer=(0,)))
    other = evaluated(item("a", 1.0, -1.0, -2.0, answer=[0]))
    assert differences(one, other) == ()


def test_an_items_change_is_measured_in_nats() -> None:
    before = evaluated(item("a", 1.0, -1.0, -2.0, picked=0), item("b", 1.0, -3.0, -3.1, picked=0))
    after = evaluated(item("a", 1.0, -1.0, -2.25, picked=0), item("b", 0.0, -3.2, -3.1, picked=1), acc=0.25)
    assert differences(before, after) == (
        Difference("item", "a", 1.0, 1.0, False, 0.25),
        Difference("item", "b", 1.0, 0.0, True, 3.2 - 3.0),
        Difference("metric", "acc", 0.5, 0.25),
    )


def test_another_choice_is_a_flip_even_where_both_are_wrong() -> None:
    found = differences(evaluated(item("a", 0.0, picked=1)), evaluated(item("a", 0.0, picked=2)))
    assert found == (Difference("item", "a", 0.0, 0.0, True, None),)


def test_scores_of_other_sorts_do_not_flip() -> None:
    before, after = evaluated(Item("w", 1.25, {"logprob": -5.0})), evaluated(Item("w", 1.5, {"logprob": -6.0}))
    assert differences(before, after) == (Difference("item", "w", 1.25, 1.5, False, 1.0),)


def test_what_was_written_is_compared_by_digest() -> None:
    before, after = (evaluated(item("g", 1.0, answer=text, digest=text)) for text in ("one", "two"))
    assert differences(before, after) == (Difference("output", "g", "one", "two"),)


def test_missing_items_and_metrics_are_differences() -> None:
    found = differences(evaluated(item("a", 1.0), item("b", 0.0)), evaluated(item("b", 0.0), item("c", 1.0)))
    assert [(one.id, one.before, one.after) for one in found] == [("a", 1.0, None), ("c", None, 1.0)]
    result = StageResult(evaluation=EvalResult("s", "k", (), ()))
    assert differences(evaluated(), result) == (Difference("metric", "acc", 0.5, None),)


def outcome(verdict: Verdict, content: str, id: str = "x") -> StageResult:
    response = {
        "id": id,
        "created": len(id),
        "choices": [{"message": {"content": content}}],
        "timings": {"ms": len(id)},
    }
    return StageResult(outcomes=(Outcome("s", "g", "case", verdict, "d", {}, response),))


def test_cases_are_compared_by_verdict_then_by_answer() -> None:
    passed = outcome(Verdict.PASS, "Paris")
    assert differences(passed, outcome(Verdict.PASS, "Paris", "another-id")) == ()
    assert differences(passed, outcome(Verdict.FAIL, "Rome")) == (Difference("case", "case", "pass", "fail", True),)
    (written,) = differences(passed, outcome(Verdict.PASS, "Paris."))
    assert (written.sort, written.flipped) == ("output", False)
    assert written.before == answer_digest(passed.outcomes[0].response)
    (gone,) = differences(passed, StageResult())
    assert (gone.before, gone.after, gone.flipped) == ("pass", None, True)


def test_ids_of_calls_and_times_are_no_part_of_an_answer() -> None:
    call = {"function": {"name": "f", "arguments": "{}"}}
    one, other = ({"tool_calls": [{"id": id, **call}], "seconds": len(id)} for id in ("a", "bb"))
    assert answer_digest(one) == answer_digest(other)
    assert answer_digest(one) != answer_digest({**one, "finish_reason": "stop"})


def test_findings_come_and_go() -> None:
    found = Finding("A101", Severity.ERROR, "no template")
    assert differences(StageResult(findings=(found,)), StageResult(findings=(replace(found),))) == ()
    assert differences(StageResult(findings=(found,)), StageResult()) == (
        Difference("finding", "A101", "no template", None, True),
    )
