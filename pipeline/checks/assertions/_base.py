"""What an assertion sees, and what a module of this folder must have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import AfterValidator, Field, StringConstraints

from pipeline.checks.diagnose import Fault
from pipeline.checks.probe import Probe
from pipeline.checks.schemas import unsound
from pipeline.core.kinds import discover
from pipeline.core.plugins import ASSERTIONS, Kinds
from pipeline.runtime.answer import Answer

T = TypeVar("T")


@dataclass(frozen=True)
class Seen:
    """One turn as it went: the request, the answer, and the same answer streamed where that was asked for. ``server`` answers further
    questions."""

    request: dict[str, Any]
    answer: Answer
    streamed: Answer | None = None
    server: Probe | None = None

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the tools on offer."""
        return tuple(tool["function"]["name"] for tool in self.request.get("tools", ()))

    @property
    def probe(self) -> Probe:
        """The server. Raises ValueError where there is none: the engine always gives one."""
        if self.server is None:
            raise ValueError("no server to ask")
        return self.server


class Kind(Protocol):
    """A module of this folder."""

    Argument: Any
    EXAMPLE: Any

    def judge(self, seen: Seen, argument: Any) -> Fault | None:
        """Return what is wrong, or None."""


@cache
def assertions() -> Mapping[str, Kind]:
    """Return all assertions by name, those of other packages included (entry points of ``assay.assertions``)."""
    return Kinds(discover("pipeline.checks.assertions"), ASSERTIONS, ("Argument", "EXAMPLE", "judge"))


def some(items: tuple[T, ...]) -> tuple[T, ...]:
    """Return ``items``; an empty list would be an assertion that can't fail. Raises ValueError."""
    if not items:
        raise ValueError("name at least one")
    return items


Texts = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1)], ...], Field(strict=False), AfterValidator(some)
]


def _sound(schema: dict[str, Any]) -> dict[str, Any]:
    if words := unsound(schema):
        raise ValueError(f"no JSON Schema: {words}")
    return schema


Schema = Annotated[dict[str, Any], AfterValidator(_sound)]
