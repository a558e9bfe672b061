from __future__ import annotations

from pipeline.evals.model import EvalResult, Metric
from pipeline.report import figures
from pipeline.report.model import Bounds
from tests import factories as make


def test_a_chart_for_each_metric_with_something_to_compare() -> None:
    found = list(figures.of_bench(make.bench_rows(), {"bench.decode_tok_s@tg32": Bounds(100.0, None)}))
    assert [figure.title.split(",")[0] for figure in found] == [
        "prefill_tok_s",
        "decode_tok_s",
        "ttft_ms",
        "itl_ms",
        "total_tok_s",
    ]
    assert found[1].caption == "bar: median; dots: each repetition; dashed: the gate's min 100"
    assert "bound min" in found[1].svg
    assert "bound" not in found[2].svg


def test_evals_with_intervals_are_drawn_and_shares_go_to_one() -> None:
    (accuracy,) = figures.of_eval(make.choice(), "tiny-choice", {"tiny-choice.accuracy": Bounds(0.6, None)})
    assert "dashed: the gate's min 0.6" in accuracy.caption
    assert ">1</text>" in accuracy.svg
    assert [figure.title for figure in figures.of_eval(make.perplexity(), "tiny-perplexity", {})] == [
        "perplexity",
        "nll, nats/token",
    ]


def test_the_parts_of_a_metric_share_its_chart() -> None:
    metrics = tuple(Metric(name, 0.5, "share", 0.4, 0.6, 10) for name in ("acc", "acc_norm", "acc@copy", "acc@sums"))
    found = list(figures.of_eval(EvalResult("s", "multiple_choice", metrics, ()), "s", {}))
    assert [figure.title for figure in found] == ["acc, share", "acc_norm, share"]
    assert found[0].svg.count('class="estimate"') == 3
