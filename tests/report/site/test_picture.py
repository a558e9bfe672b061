from __future__ import annotations

from dataclasses import replace

from pipeline.report.site.picture import scatter
from tests.report.site.samples import catalog


def test_models_with_score_speed_and_size_are_points_and_the_others_are_told() -> None:
    entries = list(catalog().entries)
    (figure,) = scatter(entries)
    assert ">tiny-chat</text>" in figure.svg and ">tiny-q4</text>" in figure.svg
    assert "0.9 at 812.6 tok/s, 3.73 MiB, accepted" in figure.svg
    (less,) = scatter([entries[0], replace(entries[1], bench=())])
    assert "1 without a speed is not shown" in less.caption
    assert list(scatter([])) == list(scatter([replace(entries[0], scores={})])) == []


def test_without_any_speed_size_is_across_and_many_models_have_no_names() -> None:
    entry = replace(catalog().entries[0], bench=())
    (figure,) = scatter([entry])
    assert figure.title == "tiny-choice.acc against size" and "0.9 at —, 3.73 MiB, accepted" in figure.svg
    (many,) = scatter([replace(entry, name=f"m{i}") for i in range(40)])
    assert ">m7</text>" not in many.svg and "m7 0.9 at" in many.svg
