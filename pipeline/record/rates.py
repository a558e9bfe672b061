"""What the outcomes of a group of check cases come to: how many trials passed, what the others were, and how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.checks.model import Outcome, Verdict
from pipeline.evals.intervals import wilson

_WORST_FIRST = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS)


@dataclass(frozen=True)
class Tally:
    """One group. The greedy attempts at a case are one trial, which passes when all of them do: they would give the same answer, and
    are there to show it. Every seed is a trial of its own. Cases that do not apply (``skipped``) are no trials; trials that could not be
    judged (``unknown``) are, and have not passed. ``grades`` counts the attempts by grade, the most frequent first.
    """

    group: str
    cases: int
    trials: int
    passed: int
    unknown: int
    skipped: int
    attempts: int
    grades: tuple[tuple[str, int], ...]

    @property
    def rate(self) -> float | None:
        """The share of trials that passed; None without trials."""
        return self.passed / self.trials if self.trials else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % score interval of the rate (Wilson 1927): how the same cases would do when asked again and again. Raises ValueError
        without trials."""
        return wilson(self.passed, self.trials)

    def content(self) -> dict[str, Any]:
        """Return it as JSON, with rate and interval, null without trials."""
        low, high = self.interval if self.trials else (None, None)
        return {**asdict(self), "grades": dict(self.grades), "rate": self.rate, "low": low, "high": high}


def tallies(outcomes: Iterable[Outcome]) -> tuple[Tally, ...]:
    """Return the groups, in order of first appearance."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.group, []).append(outcome)
    return tuple(_tally(group, found) for group, found in groups.items())


def _tally(group: str, outcomes: list[Outcome]) -> Tally:
    trials: dict[tuple[str, str, int], list[Verdict]] = {}
    applied = [outcome for outcome in outcomes if outcome.verdict is not Verdict.SKIP]
    for one in applied:
        trials.setdefault((one.suite, one.case, one.attempt if one.sampled else 0), []).append(one.verdict)
    worst = [next(verdict for verdict in _WORST_FIRST if verdict in verdicts) for verdicts in trials.values()]
    return Tally(
        group=group,
        cases=len({(one.suite, one.case) for one in applied}),
        trials=len(worst),
        passed=worst.count(Verdict.PASS),
        unknown=worst.count(Verdict.UNKNOWN),
        skipped=len(outcomes) - len(applied),
        attempts=len(applied),
        grades=tuple(Counter(one.grade or one.verdict.value for one in outcomes).most_common()),
    )


def merged(outcomes: Iterable[Outcome]) -> list[tuple[Outcome, int]]:
    """Return the outcomes to show: of several attempts at a case that came to the same, the first and how many others there are."""
    found: dict[tuple[str, str, Verdict, str], list[Outcome]] = {}
    for one in outcomes:
        found.setdefault((one.suite, one.case, one.verdict, one.grade), []).append(one)
    return [(same[0], len(same) - 1) for same in found.values()]


def cases(outcomes: Iterable[Outcome]) -> tuple[int, int, int]:
    """Return of how many cases every attempt passed, how many there are, and how many more do not apply."""
    verdicts: dict[tuple[str, str], set[Verdict]] = {}
    for one in outcomes:
        verdicts.setdefault((one.suite, one.case), set()).add(one.verdict)
    skipped = sum(found == {Verdict.SKIP} for found in verdicts.values())
    return sum(found == {Verdict.PASS} for found in verdicts.values()), len(verdicts) - skipped, skipped
