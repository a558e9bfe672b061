"""A behaviour suite as written in ``suite.yaml``: cases of turns, each with what its answer must be."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PlainValidator, StringConstraints, TypeAdapter, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from pipeline.checks.assertions._base import assertions
from pipeline.spec.load import read_model
from pipeline.spec.model import Part
from pipeline.spec.suite import SuiteHead

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]{0,62}$")]


def _expectations(value: Any) -> dict[str, Any]:
    """Check each assertion's argument against the type that its module declares."""
    if not isinstance(value, dict):
        raise PydanticCustomError("dict_type", "wants assertions by name")
    known, checked, errors = assertions(), {}, list[InitErrorDetails]()
    for name, argument in value.items():
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            advice = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
            kind = PydanticCustomError("unknown_assertion", "no such assertion; {advice}", {"advice": advice})
            errors.append({"type": kind, "loc": (str(name),), "input": argument})
            continue
        try:
            checked[name] = TypeAdapter(known[name].Argument, config=_STRICT).validate_python(argument)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                kind = PydanticCustomError(
                    detail["type"], "{message}", {"message": detail["msg"], **detail.get("ctx", {})}
                )
                errors.append({"type": kind, "loc": (name, *detail["loc"]), "input": detail["input"]})
    if errors:
        raise ValidationError.from_exception_data("expect", errors)
    return checked


CHOICES = ("none", "auto", "required")
_STRICT = ConfigDict(strict=True)
Expect = Annotated[dict[str, Any], PlainValidator(_expectations)]


class Tool(Part):
    """A function that the model may call; ``parameters`` is JSON Schema."""

    description: str
    parameters: dict[str, Any]


class Turn(Part):
    """One request: what the user says, or ``results``, one for each call of the answer before, in the calls' order. ``expect`` adds to
    the suite's and overrides it."""

    user: str | None = None
    results: Annotated[tuple[dict[str, Any] | str, ...], Field(strict=False)] | None = None
    expect: Expect = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_of_two(self) -> Turn:
        if (self.user is None) == (self.results is None):
            raise ValueError("a turn has either user or results")
        return self


class Case(Part):
    """A conversation of one or more turns. ``about`` says what it shows; ``tool_choice`` is ``none``, ``auto``, ``required``, or the name
    of a tool on offer, which goes out in the API's object form."""

    id: Id
    about: str
    group: Id | None = None
    system: str | None = None
    tools: Annotated[tuple[str, ...], Field(strict=False)] = ()
    tool_choice: str | None = None
    parallel: bool | None = None
    max_tokens: int | None = Field(default=None, gt=0)
    turns: Annotated[tuple[Turn, ...], Field(strict=False)]


class Document(SuiteHead):
    """The whole file. ``group`` is that of cases that name none; ``sampling`` overrides the spec's; ``tools`` are declared by name."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: Literal["behaviour"]
    group: Id
    sampling: dict[str, float | int] = Field(default_factory=dict)
    max_tokens: int = Field(default=256, gt=0)
    tools: dict[str, Tool] = Field(default_factory=dict)
    expect: Expect = Field(default_factory=dict)
    cases: Annotated[tuple[Case, ...], Field(strict=False)]

    @model_validator(mode="after")
    def _consistent(self) -> Document:
        faults, seen = [] if self.cases else ["there are no cases"], set()
        for case in self.cases:
            if case.id in seen:
                faults.append(f"case {case.id} is there twice")
            seen.add(case.id)
            faults += [f"case {case.id}: no tool {name!r} under tools" for name in case.tools if name not in self.tools]
            if not case.turns or case.turns[0].user is None:
                faults.append(f"case {case.id}: the first turn must say something")
            if not self.expect and not any(turn.expect for turn in case.turns):
                faults.append(f"case {case.id} expects nothing, so it could never fail")
            if case.tool_choice is not None and case.tool_choice not in (*CHOICES, *case.tools):
                faults.append(
                    f"case {case.id}: tool_choice is {case.tool_choice!r}, neither one of {', '.join(CHOICES)} nor a tool on offer"
                )
        if faults:
            raise ValueError("; ".join(faults))
        return self


@dataclass(frozen=True)
class CheckSuite:
    """A suite under its folder's name."""

    name: str
    document: Document

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of the cases, in order of first appearance."""
        return tuple(dict.fromkeys(case.group or self.document.group for case in self.document.cases))

    def body(self, case: Case, sampling: Mapping[str, Any]) -> dict[str, Any]:
        """Return the request of a case without its messages and model. Caching is off, so that an answer depends on its request alone."""
        document = self.document
        body: dict[str, Any] = {
            **sampling,
            **document.sampling,
            "max_tokens": case.max_tokens or document.max_tokens,
            "cache_prompt": False,
        }
        if case.tools:
            body["tools"] = [
                {"type": "function", "function": {"name": name, **document.tools[name].model_dump()}}
                for name in case.tools
            ]
        if case.tool_choice in case.tools:
            body["tool_choice"] = {"type": "function", "function": {"name": case.tool_choice}}
        elif case.tool_choice:
            body["tool_choice"] = case.tool_choice
        if case.parallel is not None:
            body["parallel_tool_calls"] = case.parallel
        return body


def load_suite(folder: Path) -> CheckSuite:
    """Read ``folder/suite.yaml``. Raises SpecError with every fault of it, UsageError where it can't be read."""
    return CheckSuite(folder.name, read_model(folder / "suite.yaml", Document))
