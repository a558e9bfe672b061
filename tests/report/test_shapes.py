from __future__ import annotations

from dataclasses import replace

from pipeline.bench.model import BenchRow
from pipeline.report.model import Trend, Value
from pipeline.report.shapes import of_depth, of_streams, roofline, trends
from tests.report.site.samples import bench_rows


def test_streams_and_depths_become_curves_and_single_settings_do_not() -> None:
    rows = bench_rows()
    assert [one.title for one in of_streams(rows)] == [
        "total_tok_s as users become more",
        "ttft_ms as users become more",
    ]
    assert [one.title for one in of_depth(rows)] == [
        *("prefill_tok_s as the context fills", "decode_tok_s as the context fills"),
    ]
    single = [row for row in rows if row.test in ("streams=1", "pp128", "tg32")]
    assert list(of_streams(single)) == list(of_depth(single)) == []
    unmeasured = [replace(row, value=None) for row in rows]
    assert list(of_streams(unmeasured)) == list(of_depth(unmeasured)) == []


def test_the_roofline_needs_the_limits_and_a_model_below_them() -> None:
    rows = bench_rows()
    (figure,) = roofline({"tiny-chat": rows})
    assert "21 GB/s and 95 Gop/s" in figure.caption
    assert "tg32: 812.6 tok/s" in figure.svg and "pp128: 4,211 tok/s" in figure.svg
    assert list(roofline({})) == []
    assert list(roofline({"a": [row for row in rows if row.layer != "machine"]})) == []
    assert list(roofline({"a": [row for row in rows if row.layer == "machine"]})) == []
    odd = [replace(row, detail={"each_token": "x"}) for row in rows]
    assert list(roofline({"a": odd})) == []
    assert isinstance(rows[0], BenchRow)


def test_a_trend_marks_where_its_level_changed() -> None:
    values = tuple(Value(f"2026-03-{day:02d} 09:00", float(day > 5)) for day in range(1, 10))
    (figure,) = trends([Trend("x", "s", values, (5,))])
    assert "9 runs; dashed: its level changed" in figure.caption
    assert ">2026-03-06</text>" in figure.svg
    assert list(trends([Trend("x", "s", values[:1])])) == []
