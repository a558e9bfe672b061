"""What a check case comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """``unknown`` means the case could not be judged; a gate treats it as a failure. ``skip`` means that it asks for what the model
    does not claim to do, as reasoning of a model whose template has none: neither a pass nor a failure, and counted nowhere."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    SKIP = "skip"


@dataclass(frozen=True)
class Outcome:
    """One case judged: the request as sent, the raw answer as received, and a diagnosis in words.

    ``grade`` is a key of ``diagnose.GRADES``. A case that is repeated gives an outcome for each attempt, counted from 1; ``sampled``
    ones are drawn with a seed of their own, the others are greedy.
    """

    suite: str
    group: str
    case: str
    verdict: Verdict
    diagnosis: str
    request: dict[str, Any] = field(default_factory=dict)
    response: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    grade: str = ""
    attempt: int = 1
    sampled: bool = False

    @property
    def name(self) -> str:
        """The case, with the attempt where it is not the first."""
        if self.sampled:
            return f"{self.case} (seed {self.attempt})"
        return self.case if self.attempt == 1 else f"{self.case} (again, {self.attempt})"


@dataclass(frozen=True)
class Cause:
    """A likely cause of what went wrong in a suite. ``known`` names reports of bugs of its class; ``cases`` are those that it
    explains."""

    id: str
    words: str
    known: str
    advice: str
    cases: tuple[str, ...] = ()
