from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from pipeline.spec.gates import Gates
from pipeline.spec.model import Spec


def test_content_is_plain_json_with_every_default() -> None:
    content = Spec(name="m", source="file:x").content()
    assert json.loads(json.dumps(content)) == content
    assert set(content) == set(Spec.model_fields)
    assert Spec.model_validate(content) == Spec(name="m", source="file:x")


def test_a_whole_number_may_stand_for_a_fraction() -> None:
    one = Spec.model_validate({"name": "m", "source": "file:x", "sampling": {"temperature": 1}})
    other = Spec.model_validate({"name": "m", "source": "file:x", "sampling": {"temperature": 1.0}})
    assert json.dumps(one.content()) == json.dumps(other.content())


def test_nothing_changes_after_loading() -> None:
    spec = Spec(name="m", source="file:x")
    with pytest.raises(ValidationError, match="frozen"):
        spec.engine.context = 5  # type: ignore[misc]


@pytest.mark.parametrize("name", ["", "A", "a/b", "..", "-a", "a" * 64, "a\n", "a,b", "a@b", "ä"])
def test_a_name_is_safe_in_paths_and_command_lines(name: str) -> None:
    with pytest.raises(ValidationError, match="pattern"):
        Spec(name=name, source="file:x")


def test_every_key_has_a_meaning() -> None:
    schema = Spec.model_json_schema()
    for part in [schema, *schema["$defs"].values()]:
        assert part["additionalProperties"] is False
        for name, field in part["properties"].items():
            assert "description" in field or "$ref" in field, name


def test_a_group_without_a_rate_is_its_name() -> None:
    gates = Gates.model_validate({"checks": ["stop_tokens", {"group": "tool_calling", "rate": 0.9}]})
    assert gates.groups == ("stop_tokens", "tool_calling")
    written = gates.model_dump(mode="json")["checks"]
    assert written == ["stop_tokens", {"group": "tool_calling", "rate": 0.9}]
    assert Gates.model_validate({"checks": written}) == gates
    items = Gates.model_json_schema()["properties"]["checks"]["items"]
    assert items == {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Group"}]}
