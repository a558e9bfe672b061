"""What the outcomes of a group of check cases come to: how many trials passed, what the others were, and how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

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
