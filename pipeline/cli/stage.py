"""What check, eval and bench share: run one stage, print its runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipeline.cli.checked import checked
from pipeline.cli.command import App
from pipeline.cli.turns import Turns

if TYPE_CHECKING:
    from pipeline.flow.stages import Done
    from pipeline.record.model import Run


def run_stage(app: App, names: tuple[str, ...], stage: str, force: bool) -> int:
    """Run one stage for some specs and print what came of it. Returns 1 when a required check does not pass, or was not run; the
    gravest code of an error where there was one.
    """
    from pipeline.checks.model import Outcome, Verdict
    from pipeline.flow.prepare import fetch_all
    from pipeline.flow.stages import do, jobs_of
    from pipeline.gate.groups import judge_group

    session = app.session()
    turns = Turns(session.names(names))
    answers, lines, code = [], [], 0
    for name in turns.names:
        with turns.of(name):
            lock, outcomes = session.current(name), list[Outcome]()
            fetch_all(session, [lock])
            jobs = jobs_of(session, lock, [stage])
            lines += [] if jobs else [f"{name}: the spec names no suites under {stage}s"]
            for done in do(session, jobs, force=force):
                answers.append(run_content(done))
                lines += [f"{name} {done.run.key.subject}{' (on record)' if done.reused else ''}", *run_lines(done.run)]
                outcomes += done.run.result.outcomes
            reasons = [judge_group(group, outcomes) for group in lock.spec.gates.checks if stage == "check"]
            lines += [f"{name} gates"] if reasons else []
            lines += [f"  {reason.verdict:7} {reason.rule}: {reason.message}" for reason in reasons]
            code = 1 if any(reason.verdict is not Verdict.PASS for reason in reasons) else code
    app.answer(stage, {"runs": answers, "errors": turns.content()}, "\n".join(lines))
    return turns.end(code)


def run_content(done: Done) -> dict[str, Any]:
    """Return a run as JSON: its key, and the rows of its stage."""
    run = done.run
    result = run.result
    about = {"id": run.id, "model": run.model, "reused": done.reused, "seconds": run.seconds}
    content: dict[str, Any] = about | asdict(run.key)
    if run.key.stage == "lint":
        content["findings"] = [asdict(finding) for finding in result.findings]
    elif run.key.stage == "check":
        from pipeline.record.rates import tallies

        content["outcomes"] = [asdict(outcome) for outcome in result.outcomes]
        content["groups"] = [tally.content() for tally in tallies(result.outcomes)]
        content["causes"] = [asdict(cause) for cause in result.causes]
    elif run.key.stage == "bench":
        content["rows"] = [asdict(row) for row in result.bench]
    elif result.evaluation:
        content |= asdict(result.evaluation)
    return content


def run_lines(run: Run) -> Iterator[str]:
    """Yield a run in lines, for people."""
    if run.result.outcomes:
        yield from checked(run.result)
    if run.result.evaluation:
        for metric in run.result.evaluation.metrics:
            known = metric.low is not None and metric.high is not None
            interval = f"  [{metric.low:.4g}, {metric.high:.4g}]" if known else ""
            yield f"  {metric.name:12} {metric.value:.4g} {metric.unit}{interval}  n={metric.n}"
    told: set[str] = set()
    for row in run.result.bench:
        remarks = [f"NOISY: {row.detail['noise']}"] if row.detail.get("noisy") and row.value is not None else []
        said = "  ".join(remarks if row.value is not None else [row.reason])
        shown = f"{row.value:.4g} {row.unit}" if row.value is not None else "not measured:"
        interval = f"  [{row.low:.4g}, {row.high:.4g}]" if row.low is not None and row.high is not None else ""
        # The rows of one measurement share what is to be said of it.
        told_before = said in told and len(said) > 40
        told.add(said)
        yield f"  {row.layer:8} {row.test:13} {row.metric:23} {shown}{interval}  {'(as above)' if told_before else said}".rstrip()
