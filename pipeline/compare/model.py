"""What a comparison says, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline.lock.model import Lockfile
from pipeline.record.model import Run


class Change(StrEnum):
    """How the second of two did against the first. ``no difference shown`` is not ``equal``: see the least effect that so
    many items could have shown."""

    BETTER = "better"
    WORSE = "worse"
    NOT_SHOWN = "no difference shown"
    INCOMPARABLE = "incomparable"


@dataclass(frozen=True)
class Side:
    """One of the two: a lock, and its runs by stage and subject."""

    name: str
    lock: Lockfile
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Obstacle:
    """Why two runs can't be compared. ``what`` is suite, data, engine, hardware, offload, template, sampling, packing,
    reference or items."""

    what: str
    said: str


@dataclass(frozen=True)
class Flip:
    """An item that is right for one and wrong for the other. ``unstable``: its answer turns on less than the numeric
    noise."""

    id: str
    unstable: bool = False


@dataclass(frozen=True)
class Task:
    """One suite, paired by item. ``difference`` is the second minus the first, with its 95 % interval; whether more is
    better, ``higher_is_better`` says. Where nothing could be compared, the numbers are None.

    ``broken`` passed with the first and fails with the second, ``mended`` the other way round; they are for items that
    are right or wrong. Items without a score on a side are named in ``unknown``, those that only one side has in
    ``alone``: both are left out of the pairs. ``least`` is the smallest effect that so many items would show 8 times
    out of 10, at the level that so many tasks leave to each.
    """

    stage: str
    name: str
    kind: str
    verdict: Change
    run_a: str = ""
    run_b: str = ""
    metric: str = ""
    unit: str = ""
    higher_is_better: bool = True
    obstacles: tuple[Obstacle, ...] = ()
    n: int = 0
    a: float | None = None
    b: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    interval: str = ""
    test: str = ""
    p: float | None = None
    p_holm: float | None = None
    least: float | None = None
    ties: int = 0
    broken: tuple[Flip, ...] = ()
    mended: tuple[Flip, ...] = ()
    unknown: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Two sides, task by task. ``anyway`` says that obstacles were passed over because the user wanted that."""

    a: str
    b: str
    lock_a: str
    lock_b: str
    verdict: Change
    tasks: tuple[Task, ...]
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    anyway: bool = False

    @property
    def same_runs(self) -> bool:
        """Whether both sides are one: nothing was run since."""
        return bool(self.tasks) and all(task.run_a and task.run_a == task.run_b for task in self.tasks)
