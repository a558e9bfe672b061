"""What a model must show to be accepted, as its spec says it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from pipeline.spec.parts import Part, each_once


class Limit(Part):
    """Bounds on one metric."""

    min: float | None = Field(default=None, description="The least that is accepted.")
    max: float | None = Field(default=None, description="The most that is accepted.")
    by: Literal["interval", "value"] = Field(
        default="interval",
        description="What must lie within the bounds: the whole 95 % interval, where the metric has one, or the value alone.",
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.min is None and self.max is None:
            raise PydanticCustomError("no_bound", "a limit wants min or max, or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError("no_room", "min is larger than max: nothing would be accepted")
        return self


class Group(Part):
    """A group of check cases. Its name alone, without a mapping, asks that every case passes."""

    group: Annotated[str, StringConstraints(min_length=1)] = Field(description="The group's name.")
    rate: float | None = Field(
        default=None,
        gt=0,
        description="The pass rate to be shown: the lower bound of its 95 % interval must reach it. Without: every case.",
    )

    @model_validator(mode="after")
    def _can_be_shown(self) -> Self:
        if self.rate is not None and self.rate >= 1:
            message = "no number of passes shows a rate of {rate}: write less than 1, or the group's name alone for every case"
            raise PydanticCustomError("no_rate", message, {"rate": f"{self.rate:g}"})
        return self

    @model_serializer(mode="wrap")
    def _shortly(self, content: SerializerFunctionWrapHandler) -> Any:
        return self.group if self.rate is None else content(self)


class _OrName:
    """Says in the JSON Schema that a name will do."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


def _named(value: Any) -> Any:
    return {"group": value} if isinstance(value, str) else value


def _groups_once(groups: tuple[Group, ...]) -> tuple[Group, ...]:
    each_once(tuple(group.group for group in groups))
    return groups


Groups = Annotated[
    tuple[Annotated[Group, BeforeValidator(_named), _OrName()], ...], Field(strict=False), AfterValidator(_groups_once)
]


class Gates(Part):
    """What a model must show to be accepted."""

    lint: Literal["none", "info", "warning", "error"] = Field(
        default="warning", description="The worst severity that is allowed."
    )
    checks: Groups = Field(
        default=(), description="Groups of check cases: by name, where every case must pass, or with a pass rate."
    )
    metrics: dict[str, Limit] = Field(
        default_factory=dict,
        description="`suite.metric` or `bench.metric`, with `@test` for one setting, each with bounds.",
    )

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups."""
        return tuple(group.group for group in self.checks)
