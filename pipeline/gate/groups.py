"""Groups of check cases against what the gates ask of them: that every case passes, or a pass rate that is shown, not only measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.checks.model import Outcome, Verdict
from pipeline.evals.intervals import wilson
from pipeline.record.model import Reason
from pipeline.record.rates import Tally, tallies
from pipeline.spec.gates import Group

PASS, FAIL, UNKNOWN, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.SKIP
_NAMED = 3
_FAR = 100_000


def judge_group(asked: Group, outcomes: Iterable[Outcome]) -> Reason:
    """Return whether a group passes, and why. ``outcomes`` are those of all groups."""
    everything = list(outcomes)
    found = [outcome for outcome in everything if outcome.group == asked.group]
    rule = (
        f"checks {asked.group}: every case passes"
        if asked.rate is None
        else f"checks {asked.group}: pass rate at least {asked.rate:g}"
    )
    if not found:
        known = ", ".join(sorted({outcome.group for outcome in everything})) or "none"
        return Reason(rule, UNKNOWN, f"no case of this group has been run; groups on record: {known}")
    (tally,) = tallies(found)
    if not tally.trials:
        return Reason(rule, UNKNOWN, f"no case of this group applies to this model: {found[0].diagnosis}")
    bad = [one for verdict in (FAIL, UNKNOWN) for one in found if one.verdict is verdict]
    skipped = f"; {tally.skipped} {plural(tally.skipped, 'case')} not applicable" if tally.skipped else ""
    if asked.rate is None:
        verdict = bad[0].verdict if bad else PASS
        return Reason(rule, verdict, (_named(bad, tally) if bad else _all_passed(tally)) + skipped)
    verdict, words = _rated(tally, asked.rate)
    return Reason(rule, verdict, words + (f". {_named(bad, tally)}" if bad and verdict is not PASS else "") + skipped)


def _all_passed(tally: Tally) -> str:
    repeated = f", in {tally.attempts} attempts" if tally.attempts > tally.cases else ""
    return f"{tally.cases} of {tally.cases} {plural(tally.cases, 'case')} passed{repeated}"


def _named(bad: Sequence[Outcome], tally: Tally) -> str:
    cases = len({(one.suite, one.case) for one in bad})
    named = "; ".join(f"{one.suite}/{one.name} {one.verdict.value}: {one.diagnosis}" for one in bad[:_NAMED])
    more = f"; and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    return f"{cases} of {tally.cases} {plural(tally.cases, 'case')} did not pass: {named}{more}"


def _rated(tally: Tally, rate: float) -> tuple[Verdict, str]:
    """The lower bound of the interval must reach the rate. Where only the upper one does, the rate is neither shown nor refuted."""
    low, high = tally.interval
    unknown = f", {tally.unknown} of the rest unknown," if tally.unknown else ""
    said = f"{tally.passed} of {tally.trials} trials passed{unknown} (95 % interval {low:.3f} to {high:.3f})"
    if low >= rate:
        return PASS, said
    if high < rate:
        return FAIL, f"{said}: even the upper bound is under {rate:g}"
    more = _missing(tally, rate)
    passes = plural(more, "trial that passes", "trials that pass")
    wanted = f"{more} more {passes} would show it (more cases, or seeds where the sampling is not greedy)"
    return UNKNOWN, f"{said}: the lower bound is under {rate:g}; {wanted}"


def _missing(tally: Tally, rate: float) -> int:
    """Return how many further passes would lift the lower bound to the rate."""
    few, many = 0, 1
    while many < _FAR and wilson(tally.passed + many, tally.trials + many)[0] < rate:
        few, many = many, many * 2
    while many - few > 1:
        middle = (few + many) // 2
        if wilson(tally.passed + middle, tally.trials + middle)[0] < rate:
            few = middle
        else:
            many = middle
    return many


def plural(count: int, one: str, many: str = "") -> str:
    return one if count == 1 else many or f"{one}s"
