"""The service's speeds over the engine's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.bench.layers import gap_rows
from pipeline.bench.model import BenchRow

DETAIL = {"prompt_tokens": 100}
ENGINE = [
    BenchRow("engine", "pp128", "prefill_tok_s", 1000.0, "tok/s", low=990.0, high=1010.0),
    BenchRow("engine", "tg32", "decode_tok_s", 50.0, "tok/s", low=49.0, high=51.0),
    BenchRow("engine", "tg32+d128", "decode_tok_s", 45.0, "tok/s", low=44.0, high=46.0),
]
SERVICE = [
    BenchRow("service", "streams=1", "decode_tok_s", 40.5, "tok/s", (), "", DETAIL, 40.0, 41.0),
    BenchRow("service", "streams=1", "ttft_ms", 125.0, "ms", (), "", DETAIL, 120.0, 130.0),
]


def test_each_is_compared_with_the_engines_figure_for_about_the_same_context() -> None:
    decode, prefill = gap_rows([*ENGINE, *SERVICE])
    assert (decode.metric, decode.value, decode.detail["engine"]) == ("service_share_of_engine", 0.9, "tg32+d128")
    assert (decode.low, decode.high) == (40 / 46, 41 / 44)
    assert prefill.metric == "prefill_share_of_engine" and prefill.value == pytest.approx(0.8)
    assert prefill.low == pytest.approx(100 / 0.130 / 1010)
    assert prefill.high == pytest.approx(100 / 0.120 / 990)


def test_without_both_there_is_no_share() -> None:
    unknown = replace(ENGINE[2], value=None, reason="inconclusive: busy", inconclusive=True)
    decode, prefill = gap_rows([*ENGINE[:2], unknown, *SERVICE])
    assert (decode.value, decode.reason, decode.inconclusive) == (None, "inconclusive: busy", True)
    assert prefill.value is not None
    assert [row.reason for row in gap_rows(SERVICE)] == ["the engine's speed was not measured"] * 2
    assert gap_rows(ENGINE) == ()
