"""What an assertion sees, and what a module of this folder must have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, TypeVar, cast

from pipeline.checks.diagnose import Fault
from pipeline.core.kinds import discover
from pipeline.runtime.answer import Answer

T = TypeVar("T")


@dataclass(frozen=True)
class Seen:
    """One turn as it went: the request, the answer, and the same answer streamed where an assertion asked for that."""

    request: dict[str, Any]
    answer: Answer
    streamed: Answer | None = None

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the tools on offer."""
        return tuple(tool["function"]["name"] for tool in self.request.get("tools", ()))


class Kind(Protocol):
    """A module of this folder."""

    Argument: Any
    EXAMPLE: Any

    def judge(self, seen: Seen, argument: Any) -> Fault | None:
        """Return what is wrong, or None."""


@cache
def assertions() -> dict[str, Kind]:
    """Return all assertions by name."""
    return cast(dict[str, Kind], discover("pipeline.checks.assertions"))


def some(items: tuple[T, ...]) -> tuple[T, ...]:
    """Return ``items``; an empty list would be an assertion that can't fail. Raises ValueError."""
    if not items:
        raise ValueError("name at least one")
    return items


def wants_stream(name: str) -> bool:
    """Return whether an assertion needs the answer streamed as well."""
    return bool(getattr(assertions()[name], "STREAMS", False))
