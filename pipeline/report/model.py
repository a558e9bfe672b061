"""A report as a value: everything that any format shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pipeline.compare.model import Comparison
from pipeline.lock.model import LockedFile, Lockfile
from pipeline.record.model import Decision, Run


@dataclass(frozen=True)
class Fact:
    """One line about the model, the machine or the engine. ``code`` marks digests, names and other text to be read
    letter by letter."""

    label: str
    value: str
    code: bool = False


@dataclass(frozen=True)
class Link:
    """One step of the chain of digests: what it is, and each digest with the name of what it covers."""

    title: str
    note: str
    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Command:
    """One step to get the same results again."""

    command: str
    purpose: str


@dataclass(frozen=True)
class Bounds:
    """What a gate asks of one metric; None where it sets no bound on that side."""

    min: float | None
    max: float | None


@dataclass(frozen=True)
class Accepted:
    """The accepted baseline: since when, why, and how the model of now compares with it."""

    since: str
    reason: str
    comparison: Comparison


@dataclass(frozen=True)
class Value:
    """One value of a metric: when its run began (ISO 8601), and its interval where it has one."""

    when: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Trend:
    """A metric over runs, the oldest first. ``changes`` are the places at which a new level begins."""

    name: str
    unit: str
    values: tuple[Value, ...]
    changes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Pages:
    """Where other pages lie, relative to this one; empty where there are none. ``items``: by the id of their run."""

    catalog: str = ""
    hardware: str = ""
    items: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """One model on one engine and one machine. ``decision`` is None where the gate hasn't judged yet."""

    lock: Lockfile
    decision: Decision | None
    runs: tuple[Run, ...]
    chain: tuple[Link, ...]
    facts: tuple[Fact, ...]
    header: tuple[Fact, ...]
    engine: tuple[Fact, ...]
    hardware: tuple[Fact, ...]
    commands: tuple[Command, ...]
    bounds: Mapping[str, Bounds]
    generated: datetime
    version: str
    baseline: Accepted | None = None
    trends: tuple[Trend, ...] = ()
    pages: Pages = field(default_factory=Pages)

    @property
    def name(self) -> str:
        return self.lock.name

    @property
    def files(self) -> tuple[LockedFile, ...]:
        return self.lock.files

    def of_stage(self, stage: str) -> tuple[Run, ...]:
        """Return the runs of one stage."""
        return tuple(run for run in self.runs if run.key.stage == stage)

    def not_run(self, stage: str) -> tuple[str, ...]:
        """Return the suites that the spec names for a stage (``check`` or ``eval``) and that have no run."""
        named = self.lock.spec.checks if stage == "check" else self.lock.spec.evals
        return tuple(suite for suite in named if all(run.key.subject != suite for run in self.of_stage(stage)))

    def counts(self, run: Run) -> bool:
        """Say whether the decision rests on this run."""
        return self.decision is None or run.id in self.decision.run_ids
