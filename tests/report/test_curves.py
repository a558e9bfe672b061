from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import pytest

from pipeline.report.curves import Axis, Curve, Point, draw_curves
from pipeline.report.text import visible
from tests.report.samples import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"


def draw(points: list[Point], x: Axis | None = None, y: Axis | None = None, **more: bool) -> ET.Element:
    return ET.fromstring(draw_curves("t", [Curve("", tuple(points), **more)], x or Axis("x"), y or Axis("y")))


def circles(root: ET.Element) -> list[tuple[float, float]]:
    return [(float(one.attrib["cx"][:-1]), float(one.attrib["cy"])) for one in root.findall(f"{SVG}circle")]


def test_more_is_higher_and_farther_right_and_points_are_joined() -> None:
    root = draw([Point(1, 10, "a"), Point(2, 30, "b"), Point(4, 20, "c")])
    (x1, y1), (x2, y2), (x3, y3) = circles(root)
    assert x1 < x2 < x3 and y1 > y3 > y2
    assert math.isclose((x3 - x2) / (x2 - x1), 2, rel_tol=0.01)
    joined = [one for one in root.findall(f"{SVG}line") if "curve" in one.attrib["class"]]
    assert len(joined) == 2


def test_a_logarithmic_axis_has_factors_as_steps() -> None:
    places = [x for x, _ in circles(draw([Point(n, 1, "") for n in (1, 10, 100)], Axis("x", log=True)))]
    assert math.isclose(places[2] - places[1], places[1] - places[0], rel_tol=0.01)


def test_area_says_weight_and_an_interval_is_a_line() -> None:
    root = draw([Point(1, 5, "", weight=1.0, low=4, high=6), Point(2, 5, "", weight=0.25)], joined=False)
    large, small = (float(one.attrib["r"]) for one in root.findall(f"{SVG}circle"))
    assert math.isclose(large / small, 2)
    assert len([one for one in root.findall(f"{SVG}line") if one.attrib["class"] == "interval"]) == 1


def test_hostile_labels_are_text_and_no_colour_is_told() -> None:
    shown = visible(HOSTILE)
    axes = Axis(shown), Axis(shown)
    text = draw_curves(shown, [Curve(shown, (Point(1, 1, shown, shown),))], *axes, marks=[(1, shown)])
    root = ET.fromstring(text)
    assert "<script" not in text
    assert not [node for node in root.iter() if node.get("fill") or node.get("stroke") or node.get("style")]


@pytest.mark.parametrize("value", [0.0, -3.0, 1e-12, 1e15, math.nan, math.inf])
@pytest.mark.parametrize("log", [True, False])
def test_any_value_draws(value: float, log: bool) -> None:
    points = [Point(value, value, "", low=value, high=math.nan), Point(2, 2, "")]
    for some in (points, points[:1], []):
        assert "nan" not in ET.tostring(draw(some, Axis("x", log=log), Axis("y", log=log)), encoding="unicode")
