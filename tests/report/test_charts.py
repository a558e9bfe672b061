from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.charts import Bar, draw, round_numbers
from pipeline.report.text import visible
from tests.report.samples import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"


def parse(text: str) -> ET.Element:
    return ET.fromstring(text)


def test_each_bar_ends_at_its_value_and_each_sample_is_a_dot() -> None:
    root = parse(draw("t", [Bar("a", 50.0, "50 ms", (40.0, 50.0, 100.0)), Bar("b", None, "—")], bounds=[("max", 75.0)]))
    bars = root.findall(f"{SVG}rect")
    assert [bar.get("width") for bar in bars] == ["48.25%"]
    assert [dot.get("cx") for dot in root.findall(f"{SVG}circle")] == ["39.10%", "48.75%", "97.00%"]
    bound = next(line for line in root.findall(f"{SVG}line") if "bound" in (line.get("class") or ""))
    assert bound.get("x1") == "72.88%"
    said = [text.text for text in root.findall(f"{SVG}text")]
    assert {"a", "50 ms", "b", "—"} <= set(said)


def test_colours_come_from_the_page_and_labels_are_text() -> None:
    text = draw(visible(HOSTILE), [Bar(visible(HOSTILE), 1.0, visible(HOSTILE))])
    root = parse(text)
    assert "<script" not in text
    assert not [node for node in root.iter() if node.get("fill") or node.get("stroke") or node.get("style")]
    assert root.get("role") == "img"


@pytest.mark.parametrize("value", [0.0, -3.0, 1e-12, 1e12, float("nan"), float("inf"), None])
def test_any_value_draws(value: float | None) -> None:
    root = parse(draw("t", [Bar("a", value, "x", (1.0, float("nan")), value, value)]))
    assert "nan" not in ET.tostring(root, encoding="unicode")


@given(st.floats(min_value=1e-9, max_value=1e15))
def test_ticks_are_few_round_and_reach_the_largest(largest: float) -> None:
    ticks = round_numbers(largest)
    assert ticks[0] == 0
    assert ticks[-1] >= largest * (1 - 1e-6)
    assert 3 <= len(ticks) <= 6
    assert math.isclose(ticks[1] * (len(ticks) - 1), ticks[-1], rel_tol=1e-6)


@given(st.floats(min_value=-1e15, max_value=1e15), st.floats(min_value=-1e15, max_value=1e15))
def test_ticks_enclose_numbers_on_both_sides_of_0(one: float, other: float) -> None:
    if abs(one) + abs(other) < 1e-9:
        return
    ticks = round_numbers(max(one, other), min(one, other))
    assert 0 in ticks and 3 <= len(ticks) <= 7 and ticks == sorted(ticks)
    room = (ticks[-1] - ticks[0]) * 1e-6
    assert ticks[0] - room <= min(one, other, 0) and max(one, other, 0) <= ticks[-1] + room


def test_what_lies_below_0_is_drawn_to_the_left_of_it() -> None:
    root = parse(draw("t", [Bar("a", -0.1, "-0.1", low=-0.2, high=0.05)]))
    assert [text.text for text in root.findall(f"{SVG}text")][:5] == ["-0.2", "-0.1", "0", "0.1", "a"]
    (bar,), (dot,) = root.findall(f"{SVG}rect"), root.findall(f"{SVG}circle")
    assert (bar.get("x"), bar.get("width"), dot.get("cx")) == ("32.67%", "32.16%", "32.67%")
    (interval,) = [
        line
        for line in root.findall(f"{SVG}line")
        if line.get("class") == "interval" and line.get("y1") == line.get("y2")
    ]
    assert (interval.get("x1"), interval.get("x2")) == ("0.50%", "80.92%")


def test_a_chart_of_numbers_below_zero_alone_is_drawn() -> None:
    """As a low percentile of a divergence that is rounded to either side of 0."""
    root = parse(draw("t", [Bar("a", -2e-6, "-2e-06", (-2e-6, -1e-6))]))
    assert "-2e-06" in [text.text for text in root.findall(f"{SVG}text")]
