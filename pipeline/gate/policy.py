"""The catalog's policy against one model: what it asks beyond the spec, and which broken rules are excepted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

from pipeline.checks.model import Outcome, Verdict
from pipeline.compare.judge import compare
from pipeline.compare.model import Side, Task
from pipeline.gate.groups import judge_group
from pipeline.gate.lint import judge_lint
from pipeline.gate.metrics import judge_metric, measured, missing_suites
from pipeline.lock.model import Lockfile
from pipeline.record.model import Reason, Run
from pipeline.spec.policy import Against, Policy, meant

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


@dataclass(frozen=True)
class Baseline:
    """What was accepted of a model before: the side of a comparison, when and why."""

    side: Side
    accepted: str
    reason: str


def policy_reasons(
    policy: Policy, lock: Lockfile, runs: Sequence[Run], baseline: Baseline | None
) -> tuple[Reason, ...]:
    """Return a reason for each rule of the policy that is meant for this model; none where the policy is off. In the mode
    ``warn`` each says that it rejects nothing.
    """
    if policy.mode == "off":
        return ()
    found = tuple(replace(one, rule=f"policy {one.rule}") for one in _reasons(policy, lock, runs, baseline))
    return found if policy.mode == "enforce" else tuple(replace(one, waived="the policy only warns") for one in found)


def excepted(reasons: Iterable[Reason], policy: Policy, name: str, today: date) -> tuple[Reason, ...]:
    """Return the reasons, those that an exception of the policy covers today marked with it."""
    return tuple(_excepted(reason, policy, name, today.isoformat()) for reason in reasons)


def _excepted(reason: Reason, policy: Policy, name: str, today: str) -> Reason:
    if reason.verdict is PASS or reason.waived or policy.mode == "off":
        return reason
    for one in policy.exceptions:
        if meant(one.models, name) and fnmatchcase(reason.rule, one.rule) and (one.until is None or today <= one.until):
            until = f", until {one.until}" if one.until else ""
            return replace(reason, waived=f"accepted by {one.owner}{until}: {one.reason}")
    return reason


def _reasons(policy: Policy, lock: Lockfile, runs: Sequence[Run], baseline: Baseline | None) -> Iterator[Reason]:
    yield from _license(policy, lock)
    yield from _provenance(policy, lock)
    if policy.lint is not None:
        yield judge_lint(policy.lint, runs)
    if lock.spec.profile == "chat":
        outcomes: list[Outcome] = [
            outcome for run in runs if run.key.stage == "check" for outcome in run.result.outcomes
        ]
        yield from (judge_group(group, outcomes) for group in policy.checks)
    values, missing = measured(runs), missing_suites(lock, runs)
    for bound in policy.metrics:
        if meant(bound.models, lock.name):
            yield judge_metric(bound.metric, bound.limit, values, missing)
    for against in policy.baseline:
        if meant(against.models, lock.name):
            yield _against(against, lock, runs, baseline)


def _license(policy: Policy, lock: Lockfile) -> Iterator[Reason]:
    asked, have = policy.license, lock.license.id
    if asked.required:
        where = f"{have}, declared in {lock.license.declared_in}"
        yield Reason("license: declared", PASS if have else FAIL, where if have else "no licence is declared anywhere")
    if asked.allow:
        allowed = [one.lower() for one in asked.allow]
        rule = f"license: one of {', '.join(allowed)}"
        verdict = UNKNOWN if have is None else PASS if have.lower() in allowed else FAIL
        yield Reason(rule, verdict, have or "no licence is declared anywhere")


def _provenance(policy: Policy, lock: Lockfile) -> Iterator[Reason]:
    asked = policy.provenance
    if asked.sources:
        scheme = lock.source.resolved.partition(":")[0]
        verdict = PASS if scheme in asked.sources else FAIL
        yield Reason(f"provenance: from {', '.join(asked.sources)}", verdict, lock.source.resolved)
    if asked.known:
        other = sorted({file.known for file in lock.shards} - set(asked.known))
        said = (
            f"the digest of the weights is {', '.join(other)}" if other else ", ".join({f.known for f in lock.shards})
        )
        yield Reason(f"provenance: digests known as {', '.join(asked.known)}", FAIL if other else PASS, said)


def _against(asked: Against, lock: Lockfile, runs: Sequence[Run], baseline: Baseline | None) -> Reason:
    """Judge one suite against the baseline. A loss is what the paired comparison shows; one that is not shown is none,
    but how small a loss so many items could have shown is told.
    """
    rule = f"{asked.suite}: not worse than the accepted baseline" + (
        f" by {asked.worse_by:g}" if asked.worse_by else ""
    )
    open_verdict = {"unknown": UNKNOWN, "pass": PASS, "fail": FAIL}[asked.inconclusive]
    ours = tuple(run for run in runs if run.key.subject == asked.suite)
    if not ours:
        return Reason(rule, UNKNOWN, f"{asked.suite} has not been run")
    if baseline is None:
        return Reason(rule, open_verdict, f"there is no baseline: assay baseline accept {lock.name} --reason …")
    theirs = tuple(run for run in baseline.side.runs if run.key.subject == asked.suite)
    if not theirs:
        return Reason(rule, open_verdict, f"the baseline of {baseline.accepted} has no {asked.suite}")
    (task,) = compare(replace(baseline.side, runs=theirs), Side(lock.name, lock, ours)).tasks
    if task.difference is None or task.p is None:
        said = "; ".join(f"{one.what}: {one.said}" for one in task.obstacles) or "nothing to compare"
        return Reason(rule, open_verdict, f"can't be compared with the baseline of {baseline.accepted}: {said}")
    words = _words(task, baseline)
    if task.n < asked.items:
        return Reason(rule, open_verdict, f"{words}; {asked.items} pairs are wanted")
    loss = -task.difference if task.higher_is_better else task.difference
    worse = loss > asked.worse_by and task.p <= asked.alpha
    return Reason(rule, FAIL if worse else PASS, words)


def _words(task: Task, baseline: Baseline) -> str:
    interval = f" ({task.low:+.4g} to {task.high:+.4g})" if task.low is not None and task.high is not None else ""
    broken = f"; right before and wrong now: {', '.join(one.id for one in task.broken[:5])}" if task.broken else ""
    more = f" and {len(task.broken) - 5} more" if len(task.broken) > 5 else ""
    least = f"; a change of {task.least:.3g} would have been seen" if task.least is not None else ""
    return (
        f"{task.metric} {task.difference:+.4g}{interval} against the baseline of {baseline.accepted}, "
        f"p = {task.p:.3g}, {task.n} pairs{least}{broken}{more}"
    )
