from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from pipeline.checks.model import Outcome, Verdict
from pipeline.compare.pair import pair
from pipeline.evals.model import EvalResult, Item, Metric
from pipeline.record.model import Run, StageResult
from tests import factories as make

LOCK = make.lock()


def eval_run(items: list[Item], kind: str = "multiple_choice", metric: Metric | None = None) -> Run:
    result = EvalResult("tiny-choice", kind, (metric,) if metric else (), tuple(items))
    return make.run(LOCK, "eval", "tiny-choice", StageResult(evaluation=result))


def check_run(*verdicts: tuple[str, Verdict]) -> Run:
    outcomes = tuple(Outcome("tiny-tools", "g", case, verdict, "d") for case, verdict in verdicts)
    return make.run(LOCK, "check", "tiny-tools", StageResult(outcomes=outcomes))


def text(id: str, logprob: float, tokens: int, size: int) -> Item:
    return Item(id, -logprob / tokens, {"text": id, "logprob": logprob, "tokens": tokens, "bytes": size})


def test_items_are_paired_by_id_whatever_their_order() -> None:
    found = pair(eval_run([Item("a", 1.0), Item("b", 0.0)]), eval_run([Item("b", 1.0), Item("c", 1.0), Item("a", 1.0)]))
    assert [(pair.id, pair.a, pair.b) for pair in found.pairs] == [("a", 1.0, 1.0), ("b", 0.0, 1.0)]
    assert found.alone == ("c",)
    assert found.binary and found.higher_is_better and not found.fault


@pytest.mark.parametrize("unknown", [Item("b", math.nan), Item("b", 0.0, {"verdict": "unknown"})])
def test_unknown_items_are_named_and_left_out(unknown: Item) -> None:
    ours, theirs = [Item("a", 1.0), Item("b", 1.0)], [Item("a", 0.0), unknown]
    for found in (pair(eval_run(ours), eval_run(theirs)), pair(eval_run(theirs), eval_run(ours))):
        assert found.unknown == ("b",)
        assert [pair.id for pair in found.pairs] == ["a"]


def test_without_a_common_score_there_is_a_fault() -> None:
    assert (
        pair(eval_run([Item("a", 1.0)]), eval_run([Item("a", math.nan)])).fault == "no item has a score on both sides"
    )
    assert pair(eval_run([]), eval_run([])).fault


def test_a_case_asked_several_times_is_one_item() -> None:
    first = check_run(("a", Verdict.PASS), ("a", Verdict.FAIL), ("b", Verdict.UNKNOWN), ("b", Verdict.PASS))
    second = check_run(("a", Verdict.PASS), ("b", Verdict.UNKNOWN))
    found = pair(first, second)
    assert [(pair.id, pair.a, pair.b) for pair in found.pairs] == [("a", 0.5, 1.0)]
    assert found.unknown == ("b",)
    assert not found.binary


def test_texts_weigh_by_tokens_where_both_count_the_same() -> None:
    metric = Metric("perplexity", 9.0)
    one = eval_run([text("w1", -10.0, 10, 40), text("w2", -60.0, 30, 90)], "perplexity", metric)
    other = eval_run([text("w1", -20.0, 10, 40), text("w2", -60.0, 30, 90)], "perplexity", metric)
    found = pair(one, other)
    assert (found.metric, found.unit, found.higher_is_better) == ("nll", "nats/token", False)
    assert [(pair.a, pair.b, pair.weight) for pair in found.pairs] == [(1.0, 2.0, 10.0), (2.0, 2.0, 30.0)]


def test_another_tokenizer_is_compared_by_the_byte() -> None:
    one = eval_run([text("p1", -8 * math.log(2), 4, 16)], "perplexity")
    other = eval_run([text("p1", -4 * math.log(2), 9, 16)], "perplexity")
    found = pair(one, other)
    assert (found.metric, found.unit) == ("bits_per_byte", "bits/byte")
    assert [(pair.a, pair.b, pair.weight) for pair in found.pairs] == [(0.5, 0.25, 16.0)]


def test_windows_of_another_tokenizer_are_no_pairs() -> None:
    found = pair(eval_run([text("w1", -8.0, 4, 16)], "perplexity"), eval_run([text("w1", -8.0, 4, 19)], "perplexity"))
    assert found.pairs == ()
    assert "two tokenizers" in found.fault
    assert found.alone == ("w1",)


def choice(prompt: str, texts: tuple[str, ...], answer: int = 0) -> dict[str, Any]:
    return {"prompt": prompt, "choices": [{"text": text, "logprob": -1.0} for text in texts], "answer": answer}


def test_items_of_another_version_must_ask_the_same() -> None:
    ours = [Item(id, 1.0, choice("q", ("x", "y"))) for id in "abcd"]
    theirs = [
        Item("a", 0.0, choice("q", ("x", "y"))),
        Item("b", 0.0, choice("other", ("x", "y"))),
        Item("c", 0.0, choice("q", ("x", "z"))),
        Item("d", 0.0, choice("q", ("x", "y"), 1)),
    ]
    one, other = eval_run(ours), eval_run(theirs)
    assert len(pair(one, other).pairs) == 4  # one suite, digest and all: nothing to look for
    newer = replace(other, key=replace(other.key, subject_digest="sha256:newer"))
    found = pair(one, newer)
    assert [pair.id for pair in found.pairs] == ["a"]
    assert found.alone == ("b", "c", "d")


def test_the_metric_is_named_where_it_is_the_mean_of_the_scores() -> None:
    items = [Item("a", 1.0), Item("b", 0.0)]
    assert pair(eval_run(items, metric=Metric("acc", 0.5)), eval_run(items)).metric == "acc"
    assert pair(eval_run(items, metric=Metric("other", 0.7)), eval_run(items)).metric == "score"


def test_an_unstable_item_is_marked_on_either_side() -> None:
    steady, unstable = Item("a", 1.0), Item("a", 0.0, {"unstable": True})
    assert pair(eval_run([steady]), eval_run([unstable])).pairs[0].unstable
    assert not pair(eval_run([steady]), eval_run([steady])).pairs[0].unstable
