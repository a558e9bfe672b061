"""What a log is made of, and what a module of this folder must have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from pipeline.checks.model import Verdict
from pipeline.core.errors import UsageError
from pipeline.core.kinds import discover
from pipeline.lock.model import Lockfile
from pipeline.record.model import Run

_WORDS = {Verdict.PASS: "right", Verdict.FAIL: "wrong", Verdict.UNKNOWN: "unknown"}


@dataclass(frozen=True)
class Logged:
    """A run of checks or of an eval, and the lock it belongs to."""

    run: Run
    lock: Lockfile


class Log(Protocol):
    """A module of this folder. ``SUFFIX`` is how its files end, without the dot."""

    SUFFIX: str

    def write(self, logs: Sequence[Logged], path: Path) -> None:
        """Write all items of some runs into one file. Raises UsageError for what the format can't hold."""


def log_for(path: Path) -> Log:
    """Return the format of a file by how its name ends. Raises UsageError with those that there are."""
    known = {str(module.SUFFIX): cast(Log, module) for module in discover("pipeline.report.logs").values()}
    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in known:
        names = ", ".join(f".{name}" for name in sorted(known))
        raise UsageError(f"{path.name} says no format of a log by its end", hint=f"end it with one of: {names}")
    return known[suffix]


@dataclass(frozen=True)
class Row:
    """One item or case. ``verdict`` is right, wrong or unknown; empty where an item has another sort of score, as the
    surprise of a window has. ``score`` is None where it is unknown. ``answer`` is what the model said or picked."""

    item: str
    score: float | None
    verdict: str
    prompt: str
    answer: str
    detail: dict[str, Any]


def rows(run: Run) -> Iterator[Row]:
    """Yield the items of an eval, or the cases of a check, in their order."""
    if run.result.evaluation:
        for item in run.result.evaluation.items:
            detail = item.detail
            verdict = str(detail.get("verdict", "right" if item.score == 1 else "wrong" if item.score == 0 else ""))
            score = item.score if verdict != "unknown" and math.isfinite(item.score) else None
            yield Row(item.id, score, verdict, str(detail.get("prompt", "")), _answer(detail), detail)
    for outcome in run.result.outcomes:
        word = _WORDS.get(outcome.verdict, str(outcome.verdict))
        score = float(outcome.verdict is Verdict.PASS) if word in ("right", "wrong") else None
        detail = {
            "group": outcome.group,
            "diagnosis": outcome.diagnosis,
            "seconds": outcome.seconds,
            "request": outcome.request,
            "response": outcome.response,
        }
        yield Row(outcome.name, score, word, "", "", detail)


def _answer(detail: dict[str, Any]) -> str:
    choices, picked = detail.get("choices"), detail.get("picked")
    if isinstance(choices, list) and isinstance(picked, int) and 0 <= picked < len(choices):
        return str(choices[picked].get("text", picked))
    return detail["answer"] if isinstance(detail.get("answer"), str) else ""


def columns(logged: Logged) -> dict[str, Any]:
    """Return what all items of a run share: the digests that they belong to."""
    run, result = logged.run, logged.run.result.evaluation
    return {
        "run": run.id,
        "model": run.model,
        "stage": run.key.stage,
        "suite": run.key.subject,
        "kind": result.kind if result else "behaviour",
        "lock_digest": run.key.lock_digest,
        "engine_digest": run.key.engine_digest,
        "hardware_digest": run.key.hardware_digest,
        "suite_digest": run.key.subject_digest,
        "started": run.started,
    }
