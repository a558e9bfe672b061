"""A behaviour suite as written in ``suite.yaml``: cases of turns, each with what its answer must be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PlainValidator, StringConstraints, TypeAdapter, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from pipeline.checks.assertions._base import assertions
from pipeline.checks.options import CHOICES, Options, Repeat, Requires, Tool
from pipeline.core.errors import did_you_mean
from pipeline.spec.load import read_model
from pipeline.spec.suite import SuiteHead

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]{0,62}$")]


def _expectations(value: Any) -> dict[str, Any]:
    """Check each assertion's argument against the type that its module declares."""
    if not isinstance(value, dict):
        raise PydanticCustomError("dict_type", "wants assertions by name")
    known, checked, errors = assertions(), {}, list[InitErrorDetails]()
    for name, argument in value.items():
        if name not in known:
            advice = did_you_mean(str(name), known, f"there are: {', '.join(known)}")
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


def _error(place: tuple[str | int, ...], message: str, value: Any) -> InitErrorDetails:
    """Return a fault with its place in the file: a mere ValueError of the whole would have none."""
    return {"type": PydanticCustomError("suite", "{message}", {"message": message}), "loc": place, "input": value}


_STRICT = ConfigDict(strict=True)
Expect = Annotated[dict[str, Any], PlainValidator(_expectations)]


class Turn(Options):
    """One request. It goes on from the answer before with one of ``user``, ``results`` and ``messages``."""

    user: str | None = Field(default=None, description="What the user says.")
    padding: int = Field(
        default=0, ge=0, le=100_000, description="That many words of plain text stand before what the user says."
    )
    results: Annotated[tuple[dict[str, Any] | str, ...], Field(strict=False)] | None = Field(
        default=None, description="What the tools answer: one for each call of the answer before, in the calls' order."
    )
    messages: Annotated[tuple[dict[str, Any], ...], Field(strict=False, min_length=1)] | None = Field(
        default=None, description="Messages as in the API, sent as they are: a history of any shape."
    )
    expect: Expect = Field(
        default_factory=dict, description="What the answer must be; adds to the suite's and overrides it."
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Turn:
        if sum(one is not None for one in (self.user, self.results, self.messages)) != 1:
            raise ValueError("a turn has one of user, results and messages")
        if self.messages and (wrong := [m for m in self.messages if not isinstance(m.get("role"), str)]):
            raise ValueError(f"a message wants a role: {wrong[0]}")
        if self.padding and self.user is None:
            raise ValueError("padding stands before what the user says, and this turn has no user")
        return self


class Case(Options):
    """A conversation of one or more turns. Its options hold for every turn."""

    id: Id = Field(description="The case's name in its suite.")
    about: str = Field(description="What it shows.")
    group: Id | None = Field(default=None, description="The group that gates know it by; none: the suite's.")
    requires: Requires | None = Field(
        default=None, description="What the model must be able to do; none: as the suite."
    )
    repeat: Repeat | None = Field(default=None, description="How often it is asked; none: as the suite.")
    stream: bool | None = Field(
        default=None, description="Whether each answer is asked for streamed, too; none: as the suite."
    )
    system: str | None = Field(default=None, description="The system turn.")
    turns: Annotated[tuple[Turn, ...], Field(strict=False)] = Field(description="The conversation.")


class Document(SuiteHead):
    """The whole file. What it says of cases holds for those that say nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: Literal["behaviour"]
    group: Id = Field(description="The group that gates know the cases by.")
    sampling: dict[str, float | int] = Field(
        default_factory=dict, description="Overrides the spec's sampling, but not for `seeds`."
    )
    max_tokens: int = Field(default=256, gt=0, description="The longest answer, in tokens.")
    requires: Requires = Field(default=Requires(), description="What the model must be able to do.")
    repeat: Repeat = Field(default=Repeat(), description="How often each case is asked.")
    stream: bool = Field(
        default=True, description="Each answer is asked for a second time, streamed, and must be the same."
    )
    tools: dict[str, Tool] = Field(default_factory=dict, description="Tools by name, for cases to offer.")
    expect: Expect = Field(default_factory=dict, description="What every answer must be: see assertions.md.")
    cases: Annotated[tuple[Case, ...], Field(strict=False)] = Field(description="The cases.")

    @model_validator(mode="after")
    def _consistent(self) -> Document:
        errors, seen = [] if self.cases else [_error(("cases",), "there are none", self.cases)], set()
        for number, case in enumerate(self.cases):
            twice = [f"case {case.id} is there twice"] if case.id in seen else []
            seen.add(case.id)
            faults = [*twice, *(f"case {case.id}: {fault}" for fault in self._faults(case))]
            errors += [_error(("cases", number), fault, case) for fault in dict.fromkeys(faults)]
        if errors:
            raise ValidationError.from_exception_data("suite", errors)
        return self

    def _faults(self, case: Case) -> Iterator[str]:
        if not case.turns or case.turns[0].results is not None:
            yield "the first turn must say something"
        if not self.expect and not any(turn.expect for turn in case.turns):
            yield "expects nothing, so it could never fail"
        for options in (turn.over(case) for turn in case.turns):
            patterns = options.tools or ()
            yield from (f"no tool {one!r} under tools" for one in patterns if not self.offered((one,)))
            choice = options.tool_choice
            if choice is not None and choice not in (*CHOICES, *self.offered(patterns)):
                yield f"tool_choice is {choice!r}, neither one of {', '.join(CHOICES)} nor a tool on offer"

    def offered(self, patterns: Iterable[str]) -> tuple[str, ...]:
        """Return the names of the tools that ``patterns`` mean, each once: in the patterns' order, then in that of the file."""
        return tuple(dict.fromkeys(name for pattern in patterns for name in self.tools if fnmatchcase(name, pattern)))


@dataclass(frozen=True)
class Attempt:
    """One time that a case is asked. ``streamed`` asks for each answer a second time, streamed."""

    number: int
    sampled: bool
    sampling: Mapping[str, Any]
    streamed: bool


@dataclass(frozen=True)
class CheckSuite:
    """A suite under its folder's name."""

    name: str
    document: Document

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of the cases, in order of first appearance."""
        return tuple(dict.fromkeys(case.group or self.document.group for case in self.document.cases))

    def attempts(self, case: Case, sampling: Mapping[str, Any]) -> Iterator[Attempt]:
        """Yield the times that a case is asked, given the spec's sampling. Only the first is streamed as well: the others would show
        nothing more."""
        repeat, own = case.repeat or self.document.repeat, {**sampling, **self.document.sampling}
        stream = self.document.stream if case.stream is None else case.stream
        greedy = {**own, "temperature": 0.0} if repeat != Repeat() else own
        for number in range(1, repeat.greedy + 1):
            yield Attempt(number, False, greedy, stream and number == 1)
        if sampling.get("temperature"):
            for number in range(1, repeat.seeds + 1):
                yield Attempt(number, True, {**sampling, "seed": sampling.get("seed", 0) + number}, False)

    def body(self, case: Case, turn: Turn, sampling: Mapping[str, Any]) -> dict[str, Any]:
        """Return a turn's request without its messages and model. Caching is off, so that an answer depends on its request alone."""
        document, options = self.document, turn.over(case)
        tools = document.offered(options.tools or ())
        choice = options.tool_choice
        body: dict[str, Any] = {
            **sampling,
            "max_tokens": options.max_tokens or document.max_tokens,
            "cache_prompt": False,
            "tools": [
                {"type": "function", "function": {"name": name, **document.tools[name].model_dump(exclude_none=True)}}
                for name in tools
            ],
            "tool_choice": {"type": "function", "function": {"name": choice}} if choice in tools else choice,
            "parallel_tool_calls": options.parallel,
            "stop": list(options.stop) if options.stop else None,
            "response_format": options.response_format,
            "chat_template_kwargs": options.template_kwargs,
        }
        return {name: value for name, value in body.items() if value is not None and (value or name != "tools")}


def load_suite(folder: Path) -> CheckSuite:
    """Read ``folder/suite.yaml``. Raises SpecError with every fault of it, UsageError where it can't be read."""
    return CheckSuite(folder.name, read_model(folder / "suite.yaml", Document))
