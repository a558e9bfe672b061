"""Runs, results and decisions as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from pipeline.bench.model import BenchRow
from pipeline.checks.model import Cause, Outcome, Verdict
from pipeline.core.canonical import digest_of, plain
from pipeline.evals.model import EvalResult
from pipeline.lint.model import Finding, NotJudged


@dataclass(frozen=True)
class RunKey:
    """What a result belongs to. Two runs with equal keys measured the same thing; the second is skipped unless forced.

    ``stage`` is lint, check, eval or bench; ``subject`` names the suite (or ``lint``, ``bench``); ``subject_digest``
    is the digest of the suite's files, or of the bench settings, or of the rules.
    """

    lock_digest: str
    engine_digest: str
    hardware_digest: str
    stage: str
    subject: str
    subject_digest: str


@dataclass(frozen=True)
class StageResult:
    """The rows of one finished run. Each stage uses its own tuples (lint: ``findings`` and ``not_judged``, check:
    ``outcomes`` and ``causes``), and an empty one is a result too.
    """

    findings: tuple[Finding, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    evaluation: EvalResult | None = None
    bench: tuple[BenchRow, ...] = ()
    not_judged: tuple[NotJudged, ...] = ()
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True)
class Run:
    """One finished run: key, result, and what it takes to do it again."""

    id: str
    model: str
    key: RunKey
    started: datetime
    seconds: float
    result: StageResult
    assay_version: str = ""
    argv: tuple[str, ...] = ()
    seed: int | None = None
    outputs_digest: str = ""

    @property
    def digest(self) -> str:
        """The digest of everything it says, all its rows included."""
        return str(digest_of(plain(asdict(self))))


@dataclass(frozen=True)
class Reason:
    """One line of a decision: the rule as written, whether it holds, and why. ``waived`` says why it does not count
    against the model although it does not hold; empty where it counts.
    """

    rule: str
    verdict: Verdict
    message: str
    waived: str = ""

    @property
    def holds(self) -> bool:
        """Whether it lets the model pass."""
        return self.verdict is Verdict.PASS or bool(self.waived)

    @property
    def said(self) -> str:
        """The message, and why the rule does not count where it doesn't."""
        return f"{self.message} ({self.waived})" if self.waived else self.message


@dataclass(frozen=True)
class Decision:
    """Accepted or rejected, for one lock on one engine and one class of hardware, with a reason a line and the runs
    it rests on."""

    id: str
    model: str
    lock_digest: str
    engine_digest: str
    hardware_digest: str
    accepted: bool
    reasons: tuple[Reason, ...]
    run_ids: tuple[str, ...]
    decided: datetime
    spec_gates: dict[str, Any] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """``accepted``; ``rejected`` where a rule fails; ``unknown`` where none does, but one could not be judged, which is no pass
        either.
        """
        failed = any(one.verdict is Verdict.FAIL and not one.holds for one in self.reasons)
        return "accepted" if self.accepted else "rejected" if failed else "unknown"

    @property
    def digest(self) -> str:
        """The digest of everything it says."""
        return str(digest_of(plain(asdict(self))))


def word_of(decision: Decision | None) -> str:
    """Return the word of a decision, or that there is none."""
    return decision.word if decision else "none on record"


@dataclass(frozen=True)
class Accepted:
    """A baseline: the runs of one lock, on one engine and class of hardware, that somebody accepted for a reason."""

    model: str
    lock_digest: str
    engine_digest: str
    hardware_digest: str
    run_ids: tuple[str, ...]
    owner: str
    reason: str
    accepted: datetime
