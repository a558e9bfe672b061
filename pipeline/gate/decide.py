"""Judging a model: the gates of its lock against the runs on record. Pure: values in, one decision out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pipeline.checks.model import Verdict
from pipeline.gate.groups import judge_group, plural
from pipeline.gate.lint import judge_lint
from pipeline.gate.metrics import judge_metric, measured, missing_suites
from pipeline.gate.policy import Baseline, excepted, policy_reasons
from pipeline.lock.model import Lockfile
from pipeline.record.model import Decision, Reason, Run
from pipeline.spec.policy import NO_POLICY, Policy

PASS, FAIL, UNKNOWN, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.SKIP


def decide(
    lock: Lockfile,
    engine_digest: str,
    hardware_digest: str,
    runs: Iterable[Run],
    now: datetime,
    id: str,
    *,
    policy: Policy = NO_POLICY,
    baseline: Baseline | None = None,
) -> Decision:
    """Return the decision for this lock on this engine and hardware, one reason a rule of the spec and of the catalog's
    policy. Accepted only when every rule passes, but for those that the policy excepts.

    Runs of another lock, engine, hardware or version of a suite don't count; of several, the last one given does.
    """
    counting = current(lock, engine_digest, hardware_digest, runs)
    outcomes = [outcome for run in counting if run.key.stage == "check" for outcome in run.result.outcomes]
    reasons: tuple[Reason, ...] = (
        judge_lint(lock.spec.gates.lint, counting),
        *_rules_of_suites(lock, counting),
        *(judge_group(group, outcomes) for group in lock.spec.gates.checks),
        *_rules_of_metrics(lock, counting),
        *policy_reasons(policy, lock, counting, baseline),
        *_no_gates(lock),
    )
    reasons = excepted(reasons, policy, lock.name, now.date())
    gates = lock.spec.gates.model_dump(mode="json")
    return Decision(
        id=id,
        model=lock.name,
        lock_digest=str(lock.digest),
        engine_digest=engine_digest,
        hardware_digest=hardware_digest,
        accepted=all(reason.holds for reason in reasons),
        reasons=reasons,
        run_ids=tuple(run.id for run in counting),
        decided=now,
        spec_gates=gates if policy.mode == "off" else {**gates, "policy": policy.content()},
    )


def current(lock: Lockfile, engine_digest: str, hardware_digest: str, runs: Iterable[Run]) -> list[Run]:
    """Return the runs that count: this lock, engine and hardware, suites as locked, the last of each subject."""
    chosen: dict[tuple[str, str], Run] = {}
    for run in runs:
        key = run.key
        suite = lock.suites.get(key.subject) if key.stage in ("check", "eval") else None
        same = (key.lock_digest, key.engine_digest, key.hardware_digest) == (
            str(lock.digest),
            engine_digest,
            hardware_digest,
        )
        if same and (suite is None or suite.digest == key.subject_digest):
            chosen[key.stage, key.subject] = run
    return list(chosen.values())


def _rules_of_suites(lock: Lockfile, runs: Sequence[Run]) -> Iterable[Reason]:
    """Everything that the spec names must have been run, whether or not a gate asks for its numbers."""
    done = {(run.key.stage, run.key.subject): run for run in runs}
    for stage, suites in (("check", lock.spec.checks), ("eval", lock.spec.evals)):
        for suite in suites:
            rule, run = f"{stage} suite {suite}: run", done.get((stage, suite))
            if run is None:
                yield Reason(
                    rule, UNKNOWN, f"the spec names {suite}, but it has not been run in the version that is locked"
                )
            elif run.result.outcomes and all(outcome.verdict is SKIP for outcome in run.result.outcomes):
                said = run.result.outcomes[0].diagnosis
                yield Reason(rule, UNKNOWN, f"no case applies to this model, so the suite shows nothing of it: {said}")
            elif run.result.outcomes and all(outcome.verdict in (UNKNOWN, SKIP) for outcome in run.result.outcomes):
                first = next(outcome for outcome in run.result.outcomes if outcome.verdict is UNKNOWN)
                yield Reason(rule, UNKNOWN, f"no case could be judged: {first.diagnosis}")
            else:
                yield Reason(rule, PASS, _summary(run))


def _summary(run: Run) -> str:
    evaluation, outcomes = run.result.evaluation, run.result.outcomes
    if run.key.stage == "eval":
        metrics = len(evaluation.metrics) if evaluation else 0
        return f"{metrics} {plural(metrics, 'metric')}"
    counts = {verdict: sum(outcome.verdict is verdict for outcome in outcomes) for verdict in Verdict}
    return ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count or verdict is PASS)


def _rules_of_metrics(lock: Lockfile, runs: Sequence[Run]) -> Iterable[Reason]:
    values, missing = measured(runs), missing_suites(lock, runs)
    return [judge_metric(name, limit, values, missing) for name, limit in lock.spec.gates.metrics.items()]


def _no_gates(lock: Lockfile) -> Iterable[Reason]:
    if lock.spec.gates.checks or lock.spec.gates.metrics:
        return []
    return [
        Reason(
            "gates",
            PASS,
            "the spec requires no check group and no metric: "
            "this decision says that lint passed, and nothing about quality",
        )
    ]
