from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipeline.spec import yaml
from pipeline.spec.problems import told


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    size: int = 0


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    kind: Literal["one", "two"] = "one"
    parts: dict[str, Part] = {}
    list_: Annotated[tuple[Part, ...], Field(strict=False, alias="list", max_length=2)] = ()
    even: int = 0

    @field_validator("even")
    @classmethod
    def _is_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("an odd number")
        return value


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("kind: three", "f:1:7: kind must be 'one' or 'two', not 'three'"),
        ("kind: onw", "f:1:7: kind must be 'one' or 'two', not 'onw' (did you mean 'one'?)"),
        ("parts: {a: {sise: 1}}", "f:1:13: unknown key 'sise' (did you mean 'size'?)"),
        ("parts: {a: 5}", "f:1:12: a wants keys and values, not the number"),
        ("list: [{size: x}]", "f:1:15: size wants a whole number, not the text 'x'"),
        ("list: [{}, {sizes: 1}]", "f:1:13: unknown key 'sizes' (did you mean 'size'?)"),
        ("list: [{}, {}, {}]", "f:1:7: list: tuple should have at most 2 items after validation, not 3"),
        ("even: 3", "f:1:7: even: an odd number"),
        ("prats: {}", "f:1:1: unknown key 'prats' (did you mean 'parts'?)"),
    ],
)
def test_what_a_model_says_is_told_for_people(text: str, line: str) -> None:
    document = yaml.parse(text, "f")
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate(document.value)
    (error,) = caught.value.errors(include_url=False)
    assert str(told(document, Whole, error)) == line
