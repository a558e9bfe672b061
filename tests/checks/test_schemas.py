from __future__ import annotations

import pytest

from pipeline.checks.schemas import misfit, unsound
from pipeline.core.search import Unsearchable


def test_the_place_of_a_misfit_is_named() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}}
    assert misfit({"a": [1, 2]}, schema) == ""
    assert misfit({"a": [1, "2"]}, schema) == "a[1]: '2' is not of type 'integer'"
    assert misfit(5, {}) == ""


def test_a_schema_may_say_its_draft() -> None:
    old = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "items": [{"type": "integer"}],
        "additionalItems": False,
    }
    assert "Additional items" in misfit([1, 2], old)


def test_a_schema_that_is_none() -> None:
    assert unsound({"type": "objct"}) == "'objct' is not valid under any of the given schemas"
    assert unsound({"type": "object"}) == ""


def test_nothing_is_fetched_and_circles_end() -> None:
    assert misfit(1, {"$ref": "https://example.invalid/x.json"}).startswith("the schema can't be used")
    assert misfit(1, {"$ref": "#"}).startswith("the schema can't be used")


def test_patterns_are_searched_within_bounds() -> None:
    numbered = {"patternProperties": {"^n": {"type": "integer"}}, "additionalProperties": False}
    assert misfit({"n1": 1}, numbered) == ""
    assert misfit({"n1": "1"}, numbered) == "n1: '1' is not of type 'integer'"
    assert "'m' does not match any of the regexes" in misfit({"m": 1}, numbered)
    assert misfit("ab", {"pattern": "^b"}) == "'ab' does not match '^b'"
    with pytest.raises(Unsearchable):
        misfit("a" * 60, {"pattern": r"(([a-z ]+)+)+\d$"})
