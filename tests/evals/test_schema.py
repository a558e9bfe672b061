from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pipeline.evals.schema import faults, require_known

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 5) | st.sampled_from([0.5, 1.0, 2.5, "", "a", "ab", "abc", "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
COUNTS = st.integers(0, 3)


def _schemas(inner: Any) -> Any:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(
                ["object", "array", "string", "number", "integer", "boolean", "null", ["string", "null"]]
            ),
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "const": VALUES,
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
            "required": st.lists(st.sampled_from("abc"), max_size=2, unique=True),
            "additionalProperties": inner,
            "propertyNames": st.sampled_from([{"pattern": "^[ab]$"}, {"maxLength": 1}, True]),
            "minProperties": COUNTS,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "contains": inner,
            "minItems": COUNTS,
            "maxItems": COUNTS,
            "uniqueItems": st.booleans(),
            "minLength": COUNTS,
            "maxLength": COUNTS,
            "pattern": st.sampled_from(["^a", "b$", "."]),
            "minimum": st.integers(-1, 2),
            "exclusiveMaximum": st.integers(0, 3),
            "multipleOf": st.sampled_from([1, 2, 0.5]),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
        },
    )


SCHEMAS: st.SearchStrategy[Any] = st.recursive(st.booleans() | st.just({}), _schemas, max_leaves=8)


@given(SCHEMAS, VALUES)
def test_agrees_with_the_reference_implementation(schema: Any, value: Any) -> None:
    require_known(schema)
    assert (not list(faults(value, schema))) == Draft202012Validator(schema).is_valid(value)


def test_faults_have_their_places_in_words() -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 2},
            "tags": {"type": "array", "items": {"enum": ["x", "y"]}},
            "age": {"type": "integer", "minimum": 0},
        },
        "required": ["name", "id"],
        "additionalProperties": False,
    }
    value = {"name": "a", "tags": ["x", "z"], "age": -1, "more": 1}
    assert list(faults(value, schema)) == [
        "$: 'id' is missing",
        "$.name: 1 characters, at least 2 are wanted",
        '$.tags[1]: "z" is none of "x", "y"',
        "$.age: -1 is less than 0",
        "$: 'more' is not allowed",
    ]
    assert list(faults({"name": "ab", "id": 1}, {**schema, "additionalProperties": True})) == []


def test_references_within_the_schema() -> None:
    schema = {
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["v"]}},
        "$ref": "#/$defs/node",
    }
    require_known(schema)
    assert list(faults({"v": 1, "next": {"v": 2}}, schema)) == []
    assert list(faults({"v": 1, "next": {}}, schema)) == ["$.next: 'v' is missing"]


@pytest.mark.parametrize(
    "endless", [{"$ref": "#"}, {"anyOf": [{"$ref": "#"}] * 9}, {"allOf": [{"not": {"$ref": "#"}}] * 9}]
)
def test_a_schema_that_leads_back_to_itself_ends(endless: dict[str, Any]) -> None:
    require_known(endless)
    assert len(list(faults(1, endless))) < 100
    assert list(faults(1, {"$ref": "#"})) == ["$: $ref '#' leads back to itself"]


def test_deep_values_end() -> None:
    schema = {"type": "array", "items": {"$ref": "#"}}
    value: list[Any] = []
    for _ in range(20):
        value = [value]
    assert list(faults(value, schema)) == []
    for _ in range(60):
        value = [value]
    assert any("too deeply" in fault for fault in faults(value, schema))


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ([], "no schema"),
        ({"type": "text"}, "no type 'text'"),
        ({"format": "date"}, "keyword 'format' is not known"),
        ({"properties": {"a": {"patern": "x"}}}, "/properties/a: the keyword 'patern'"),
        ({"pattern": "("}, "no regular expression"),
        ({"$ref": "https://example.com/schema"}, "only places in the same schema"),
        ({"$ref": "#/$defs/none"}, "leads nowhere"),
        ({"anyOf": []}, "list of schemas"),
        ({"minimum": "3"}, "wants a number"),
        ({"required": "a"}, "list of names"),
    ],
)
def test_what_cannot_be_judged_is_refused(schema: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        require_known(schema)


def test_a_schema_of_itself_takes_no_longer_with_each_level() -> None:
    """Unbounded, each level doubles the work: this would end after the age of the world."""
    tree = {
        "anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "array", "items": {"$ref": "#"}, "minItems": 5}]
    }
    deep: Any = 1
    for _ in range(28):
        deep = [deep]
    assert list(faults(deep, tree))
    assert not list(faults([[], [[]]], tree))
    assert list(faults({"a.b": 1, "a": {"b": "x"}}, {"additionalProperties": {"type": ["integer", "object"]}})) == []
    both = {"additionalProperties": {"anyOf": [{"type": "integer"}, {"properties": {"b": {"type": "integer"}}}]}}
    assert list(faults({"a.b": 1, "a": {"b": "x"}}, both)) != []
