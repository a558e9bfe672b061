from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.bench.model import BenchRow
from pipeline.checks.model import Verdict
from pipeline.evals.intervals import wilson
from pipeline.evals.model import EvalResult, Metric
from pipeline.gate.metrics import Measured, judge_metric, measured
from pipeline.record.model import Reason, StageResult
from pipeline.spec.gates import Limit
from tests import factories as make

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


def share(right: int, n: int) -> Measured:
    low, high = wilson(right, n)
    return Measured("s.acc", "", right / n, "share", low, high, n=n)


def judged(value: Measured, **limit: float | str) -> Reason:
    return judge_metric(value.name, Limit.model_validate(limit), [value], ())


def test_measured_names_evals_by_suite_and_benchmarks_by_metric() -> None:
    found = measured(make.sound_runs(make.lock()))
    names = {(value.name, value.test) for value in found}
    assert {("tiny-choice.accuracy", ""), ("tiny-perplexity.nll", ""), ("bench.decode_tok_s", "tg32")} <= names
    assert next(value.n for value in found if value.name == "tiny-choice.accuracy") == 54


def test_one_null_among_settings_is_unknown_and_one_failure_is_a_failure() -> None:
    null = Measured("bench.x", "a", None, "s", reason="not measured")
    high = Measured("bench.x", "b", 9.0, "s")
    fine = Measured("bench.x", "c", 1.0, "s")
    assert judge_metric("bench.x", Limit(max=2.0), [null, fine], ()).verdict is UNKNOWN
    assert judge_metric("bench.x", Limit(max=2.0), [null, high, fine], ()).message == "b: 9 s"


def test_an_eval_metric_of_one_part_is_named_with_an_at_sign_too() -> None:
    values = [Measured("s.acc", "", 0.9, "share"), Measured("s.acc@sums", "", 0.4, "share", 0.3, 0.5)]
    assert judge_metric("s.acc", Limit(min=0.5), values, ()).message == "0.9"
    found = judge_metric("s.acc@sums", Limit(min=0.55), values, ())
    assert (found.verdict, found.message) == (FAIL, "0.4 (95 % interval 0.3 to 0.5)")


def test_a_metric_that_is_not_there_is_unknown() -> None:
    assert judge_metric("s.m", Limit(min=0.0), [], {"s"}).message == "s has not been run"


@pytest.mark.parametrize(
    ("right", "limit", "verdict"),
    [
        (190, {"min": 0.9}, PASS),  # 0.95, 0.910 to 0.973
        (180, {"min": 0.9}, UNKNOWN),  # the value alone would do
        (175, {"min": 0.9}, UNKNOWN),  # 0.875, 0.822 to 0.914: the value alone would not
        (160, {"min": 0.9}, FAIL),  # 0.8, 0.739 to 0.850
        (160, {"max": 0.9}, PASS),
        (190, {"max": 0.9}, FAIL),
        (160, {"min": 0.7, "max": 0.9}, PASS),
        (160, {"min": 0.7, "max": 0.82}, UNKNOWN),
    ],
)
def test_the_whole_interval_must_lie_within_the_bounds(right: int, limit: dict[str, float], verdict: Verdict) -> None:
    assert judged(share(right, 200), **limit).verdict is verdict


def test_what_is_not_shown_says_how_many_items_would_do() -> None:
    found = judged(share(184, 200), min=0.9)
    assert (found.rule, found.verdict) == ("s.acc: min 0.9", UNKNOWN)
    assert found.message == (
        "0.92 (95 % interval 0.874011 to 0.950159): not shown either way, min 0.9 lies within it: n = 200 is too small; "
        "if the value stays, about 865 would show that it holds"
    )
    assert "would show that it fails" in judged(share(175, 200), min=0.9).message
    assert "more items would not tell" in judged(share(180, 200), min=0.9).message


def test_by_value_asks_for_the_value_alone() -> None:
    found = judged(share(20, 20), min=1, by="value")
    assert (found.rule, found.verdict) == ("s.acc: min 1 by value", PASS)
    assert judged(share(19, 20), min=1, by="value").verdict is FAIL
    assert "by: value asks for the value alone" in judged(share(20, 20), min=1).message


def test_what_has_no_interval_is_judged_by_its_value() -> None:
    assert judged(Measured("s.x", "", 3.0, ""), max=3).verdict is PASS
    assert judged(Measured("s.x", "", 3.1, ""), max=3).verdict is FAIL


@given(st.integers(1, 300), st.integers(1, 300), st.floats(0, 1), st.floats(0, 1))
def test_a_laxer_bound_is_never_judged_worse(right: int, n: int, one: float, other: float) -> None:
    value = share(min(right, n), n)
    order = [FAIL, UNKNOWN, PASS]
    strict, lax = (order.index(judged(value, min=bound).verdict) for bound in (max(one, other), min(one, other)))
    assert lax >= strict


def test_a_speed_that_something_slowed_still_proves_that_it_reaches_a_least() -> None:
    slowed = Measured("bench.decode_tok_s", "tg32", None, "tok/s", reason="inconclusive: 0 of 5 count", at_least=50.0)
    found = judge_metric("bench.decode_tok_s", Limit(min=20), [slowed], ())
    assert found.verdict is PASS
    assert "inconclusive: 0 of 5 count" in found.message and "even the slowest repetition reached 50" in found.message
    assert judge_metric("bench.decode_tok_s", Limit(min=60), [slowed], ()).verdict is UNKNOWN
    assert judge_metric("bench.decode_tok_s", Limit(min=20, max=90), [slowed], ()).verdict is UNKNOWN


def test_a_benchs_interval_and_its_least_come_from_its_rows() -> None:
    detail = {"slowest": 7.0}
    rows = (
        BenchRow("engine", "tg8", "decode_tok_s", 9.0, "tok/s", (9.0, 9.1), low=8.5, high=9.5),
        BenchRow("engine", "pp8", "prefill_tok_s", None, "tok/s", (), "inconclusive: …", detail, inconclusive=True),
    )
    known, slowed = measured([make.run(make.lock(), "bench", "bench", StageResult(bench=rows))])
    assert (known.low, known.high, known.n, known.at_least) == (8.5, 9.5, 2, None)
    assert (slowed.value, slowed.at_least) == (None, 7.0)


def test_what_leaves_unknown_items_out_is_not_shown_to_be_low() -> None:
    metrics = (Metric("perplexity", 9.0, "", 8.0, 10.0, 500), Metric("unknown", 2.0, "items", n=40))
    result = StageResult(evaluation=EvalResult("s", "perplexity", metrics, ()))
    values = measured([make.run(make.lock(), "eval", "s", result)])
    found = judge_metric("s.perplexity", Limit(max=20), values, ())
    assert found.verdict is UNKNOWN and "2 items of the suite are unknown" in found.message
    assert judge_metric("s.perplexity", Limit(max=20, by="value"), values, ()).verdict is UNKNOWN
    assert judge_metric("s.perplexity", Limit(max=7), values, ()).verdict is FAIL
    assert judge_metric("s.unknown", Limit(max=2), values, ()).verdict is PASS
    assert judge_metric("s.unknown", Limit(max=1), values, ()).verdict is FAIL
