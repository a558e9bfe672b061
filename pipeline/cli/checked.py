"""A check suite on the terminal: its cases, what its groups come to, and what is likely behind the faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.record.model import StageResult


def checked(result: StageResult) -> Iterator[str]:
    """Yield the lines of a suite that was run."""
    from pipeline.record.rates import merged, tallies

    for outcome, others in merged(result.outcomes):
        again = f" ({others + 1} attempts)" if others else ""
        yield f"  {outcome.verdict:7} {outcome.group}/{outcome.name}: {outcome.diagnosis}{again}"
    for tally in tallies(result.outcomes):
        grades = ", ".join(f"{count} {grade}" for grade, count in tally.grades)
        if tally.trials:
            low, high = tally.interval
            passed = f"{tally.passed} of {tally.trials} trials pass, 95 % interval {low:.3f} to {high:.3f}"
        else:
            passed = "nothing applies"
        yield f"  group   {tally.group}: {passed}; {grades}"
    for cause in result.causes:
        known = f" (as in {cause.known})" if cause.known else ""
        yield f"  likely  {cause.words}{known}"
        yield f"          -> {cause.advice}"
