"""The main job: one list of steps, each given what the one before made."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.errors import FINDINGS, AssayError, refusal
from pipeline.flow.judge import report_of
from pipeline.flow.prepare import fetch_all, verify_all
from pipeline.flow.session import Session
from pipeline.flow.site import write_model
from pipeline.flow.stages import Done, Job, do, jobs_of
from pipeline.record.model import Decision
from pipeline.record.rates import cases

Told = Callable[[str, str, str], None]


@dataclass
class Ran:
    """What the main job came to for one spec. ``error`` is set where a step failed; nothing after it was done."""

    name: str
    done: list[Done] = field(default_factory=list)
    decision: Decision | None = None
    reports: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    error: AssayError | None = None

    @property
    def exit_code(self) -> int:
        """0 accepted, 1 rejected, else the failed step's own code."""
        if self.error:
            return self.error.exit_code
        return 0 if self.decision and self.decision.accepted else FINDINGS


def run(session: Session, name: str, *, force: bool = False, told: Told = lambda *_: None) -> Ran:
    """Do everything for one spec: lock --check, fetch, verify, lint, check, eval, bench, gate, report.

    What is on record for the same digests is not done again unless forced. ``told`` hears (step, state, detail). Errors
    end this spec's run and are kept in the result, so that other specs still have their turn. Write the catalog after the
    last of them: ``refresh`` of the site.
    """
    began, ran = time.monotonic(), Ran(name)
    board = _Board(told, ran.done)
    try:
        board.begin("lock --check")
        lock = session.current(name)
        board.end("ok", lock.digest.short)

        board.begin("fetch")
        fetch_all(session, [lock])
        board.end("ok", f"{len(lock.files)} file{'s' if len(lock.files) > 1 else ''}")

        board.begin("verify")
        verify_all(session, [lock], deep=False)
        board.end("ok", "by receipt; hashed again before an engine starts")

        do(session, jobs_of(session, lock), force=force, told=board.job)

        board.begin("gate")
        report = report_of(session, lock)
        ran.decision = report.decision
        word = ran.decision.word if ran.decision else "not judged"
        board.end(*(("ok", word) if word == "accepted" else (word, "")))

        board.begin("report")
        ran.reports = write_model(session, report, again=force)
        board.end("ok", ran.reports[0].name if ran.reports else "")
    except (AssayError, OSError) as error:
        ran.error = error if isinstance(error, AssayError) else refusal(error)
        if ran.error is None:
            raise
        board.end(f"exit {ran.error.exit_code}", next(iter(ran.error.message.splitlines()), ""))
    ran.seconds = time.monotonic() - began
    return ran


class _Board:
    """Tells how far the steps are: each has a beginning and an end, also when it ends by an error. Keeps what is done."""

    def __init__(self, told: Told, done: list[Done]) -> None:
        self._told, self._done, self._step = told, done, ""

    def begin(self, step: str) -> None:
        self._step = step
        self._told(step, "…", "")

    def end(self, state: str, detail: str) -> None:
        self._told(self._step, state, detail)

    def job(self, job: Job, done: Done | None) -> None:
        if done is None:
            self.begin(job.key.stage if job.key.stage == job.key.subject else f"{job.key.stage} {job.key.subject}")
        else:
            self._done.append(done)
            self.end(*_summary(done))


def _summary(done: Done) -> tuple[str, str]:
    """Return a run's state and a few words on it."""
    result, when = done.run.result, "on record" if done.reused else f"{done.run.seconds:.1f} s"
    if result.outcomes:
        passed, all_, skipped = cases(result.outcomes)
        state = "ok" if passed == all_ else "see report"
        return state, f"{passed} of {all_} cases pass{f', {skipped} not applicable' if skipped else ''}  ({when})"
    if result.evaluation:
        numbers = ", ".join(f"{metric.name} {metric.value:.4g}" for metric in result.evaluation.metrics[:2])
        return "ok", f"{numbers}  ({when})"
    if result.bench:
        wanted = ("prefill_tok_s", "decode_tok_s", "ttft_ms")
        rows = {row.metric: row for row in reversed(result.bench) if row.metric in wanted and row.value is not None}
        told = [f"{name} {rows[name].value:.4g}" for name in wanted if name in rows]
        vague = {row.metric for row in result.bench if row.inconclusive} - rows.keys()
        if names := [name for name in wanted if name in vague]:
            told.append(f"inconclusive: {', '.join(names)}")
        return "ok", ", ".join(told) + f"  ({when})"
    if result.findings:
        count = len(result.findings)
        return "see report", f"{count} finding{'s' if count > 1 else ''}  ({when})"
    return "ok", f"no findings  ({when})"
