"""What a check case comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """``unknown`` means the case could not be judged; a gate treats it as a failure."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Outcome:
    """One case judged: the request as sent, the raw answer as received, and a diagnosis in words."""

    suite: str
    group: str
    case: str
    verdict: Verdict
    diagnosis: str
    request: dict[str, Any] = field(default_factory=dict)
    response: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
