from __future__ import annotations

from pipeline.checks.model import Verdict
from pipeline.gate.metrics import Measured, judge_metric, measured
from tests import factories as make


def test_measured_names_evals_by_suite_and_benchmarks_by_metric() -> None:
    names = {(value.name, value.test) for value in measured(make.sound_runs(make.lock()))}
    assert {("tiny-choice.accuracy", ""), ("tiny-perplexity.nll", ""), ("bench.decode_tok_s", "tg32")} <= names


def test_one_null_among_settings_is_unknown_and_one_failure_is_a_failure() -> None:
    null = Measured("bench.x", "a", None, "s", reason="not measured")
    high = Measured("bench.x", "b", 9.0, "s")
    fine = Measured("bench.x", "c", 1.0, "s")
    assert judge_metric("bench.x", None, 2.0, [null, fine], ()).verdict is Verdict.UNKNOWN
    assert judge_metric("bench.x", None, 2.0, [null, high, fine], ()).message == "b: 9 s"


def test_an_eval_metric_of_one_part_is_named_with_an_at_sign_too() -> None:
    values = [Measured("s.acc", "", 0.9, "share"), Measured("s.acc@sums", "", 0.4, "share", 0.3, 0.5)]
    assert judge_metric("s.acc", 0.5, None, values, ()).message == "0.9"
    assert judge_metric("s.acc@sums", 0.5, None, values, ()).message == "0.4 (95 % interval 0.3 to 0.5)"


def test_without_bounds_a_value_must_exist() -> None:
    assert judge_metric("s.m", None, None, [Measured("s.m", "", 1.0, "")], ()).verdict is Verdict.PASS
    assert judge_metric("s.m", None, None, [], {"s"}).message == "s has not been run"
