"""The machine's limits, probed for real, and how near speeds come to them, worked out by hand."""

from __future__ import annotations

import pytest

from pipeline.bench.limits import _limit, measure, probe, shares
from pipeline.bench.model import BenchRow
from pipeline.gguf.work import Work

WORK = Work(weight_bytes=1000, dense_bytes=4000, kv_bytes=10, operations=2000)
LIMITS = (
    BenchRow("machine", "threads=1", "memory_bandwidth", 1e6, "bytes/s"),
    BenchRow("machine", "threads=1", "arithmetic", 4e6, "operations/s"),
)


def test_the_probe_measures_both_on_this_machine() -> None:
    """Whether they count depends on what else this machine does; they are never made up."""
    rows = {row.metric: row for row in probe(1, seconds=0.1)}
    assert set(rows) == {"memory_bandwidth", "arithmetic"}
    for row in rows.values():
        assert row.detail["measured"] >= 3
        if row.inconclusive:
            assert row.value is None and row.samples == ()
        else:
            assert row.value == max(row.samples) > 1e6


def test_every_measurement_tells_the_share_for_which_its_threads_ran() -> None:
    """A share well above 1 would mean threads that were not counted: BLAS starts as many as there are cores unless told."""
    measured = measure(1, seconds=0.1)
    assert all(rate > 0 and 0 < share < 1.3 for rates in measured.values() for rate, share in rates)


def test_a_probe_that_was_kept_waiting_is_no_limit() -> None:
    assert _limit("threads=1", "arithmetic", "operations/s", [(5.0, 0.99), (9.0, 0.5)]).value == 5.0
    waited = _limit("threads=1", "arithmetic", "operations/s", [(5.0, 0.6), (9.0, 0.5)])
    assert (waited.value, waited.inconclusive) == (None, True)
    assert "all of 2 measurements" in waited.reason


def test_shares_of_the_limits() -> None:
    rows = (
        BenchRow("engine", "tg64", "decode_tok_s", 500.0, "tok/s"),
        BenchRow("engine", "tg64+d100", "decode_tok_s", 400.0, "tok/s"),
        BenchRow("engine", "pp128", "prefill_tok_s", 1000.0, "tok/s"),
        BenchRow("service", "streams=1", "decode_tok_s", 100.0, "tok/s"),
    )
    found = shares(rows, LIMITS, WORK, offloaded=False)
    assert [(row.test, row.metric) for row in found] == [
        ("tg64", "decode_bandwidth_share"),
        ("tg64+d100", "decode_bandwidth_share"),
        ("pp128", "prefill_arithmetic_share"),
    ]
    # (1000 + 10 * 32) * 500 / 1e6; (1000 + 10 * 132) * 400 / 1e6; 2000 * 1000 / 4e6
    assert [row.value for row in found] == [pytest.approx(0.66), pytest.approx(0.928), pytest.approx(0.5)]


def test_there_is_no_share_without_a_speed_or_a_limit() -> None:
    slowed = BenchRow("engine", "tg8", "decode_tok_s", None, "tok/s", (), "inconclusive: …", inconclusive=True)
    known = BenchRow("engine", "tg8", "decode_tok_s", 5.0, "tok/s")
    (one,) = shares([slowed], LIMITS, WORK, offloaded=False)
    assert (one.value, one.reason) == (None, "inconclusive: …")
    (two,) = shares([known], (), WORK, offloaded=False)
    assert (two.value, two.reason) == (None, "the machine's limit is not known")
    (three,) = shares([known], LIMITS, WORK, offloaded=True)
    assert three.value is None and "GPU" in three.reason
