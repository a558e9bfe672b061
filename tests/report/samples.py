"""Reports for tests: sound, broken, unjudged, and made of hostile text."""

from __future__ import annotations

from dataclasses import replace

from pipeline.bench.model import BenchRow
from pipeline.checks.model import Cause, Outcome, Verdict
from pipeline.evals.model import EvalResult, Item, Metric
from pipeline.gate.decide import decide
from pipeline.lint.model import Finding, NotJudged, Severity
from pipeline.lock.model import Lockfile
from pipeline.record.model import Run, StageResult
from pipeline.report.build import build
from pipeline.report.model import Report
from tests import factories as make

HOSTILE = (
    "<script>alert('owned')</script>\"'><img src=http://evil.test/x onerror=alert(1)>"
    " \u202edesrever @octocat #1 | `x` [a](http://evil.test) \x07"
)


def report(lock: Lockfile, runs: list[Run], judged: bool = True) -> Report:
    decision = decide(lock, make.ENGINE, make.HARDWARE, runs, make.NOW, "decision-0001") if judged else None
    return build(
        lock,
        runs,
        decision,
        engine_digest=make.ENGINE,
        hardware_digest=make.HARDWARE,
        engine=make.ENGINE_CONTENT,
        hardware=make.HARDWARE_CONTENT,
        generated=make.NOW,
        version="0.1.0",
    )


def accepted() -> Report:
    return report(make.lock(), make.sound_runs(make.lock()))


def rejected() -> Report:
    return report(make.lock(), make.broken_runs(make.lock()))


def unjudged() -> Report:
    return report(make.lock(), make.sound_runs(make.lock()), judged=False)


def empty() -> Report:
    return report(make.lock(), [])


def hostile() -> Report:
    """A report in which a model, a file or a machine has put hostile text wherever it can."""
    sound = make.lock()
    lock = sound.model_copy(
        update={
            "gguf": {
                **sound.gguf,
                "name": HOSTILE,
                "architecture": HOSTILE,
                HOSTILE: {HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]},
            },
            "source": sound.source.model_copy(update={"original": HOSTILE}),
            "files": (sound.weights.model_copy(update={"path": HOSTILE}),),
            "license": sound.license.model_copy(update={"id": HOSTILE}),
            "argv": ("--alias", HOSTILE),
        }
    )
    outcome = Outcome(
        *("tiny-tools", "tool-calling", HOSTILE, Verdict.FAIL, HOSTILE, {HOSTILE: HOSTILE}, {"content": HOSTILE}),
        grade=HOSTILE,
    )
    cause = Cause(HOSTILE, HOSTILE, HOSTILE, HOSTILE, (HOSTILE,))
    detail = {"prompt": HOSTILE, HOSTILE: [HOSTILE]}
    evaluation = EvalResult(
        "tiny-choice", HOSTILE, (Metric(HOSTILE, 0.5, HOSTILE, 0.4, 0.6, 9),), (Item(HOSTILE, 1.0, detail),)
    )
    bench = (
        BenchRow(HOSTILE, HOSTILE, HOSTILE, 1.0, HOSTILE, (1.0, 2.0)),
        BenchRow("service", "x", "y", None, "s", (), HOSTILE),
    )
    finding = Finding(HOSTILE, Severity.ERROR, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    linted = StageResult(findings=(finding,), not_judged=(NotJudged(HOSTILE, HOSTILE),))
    runs = [
        replace(make.run(lock, "lint", "lint", linted), assay_version=HOSTILE, id=HOSTILE),
        make.run(lock, "check", "tiny-tools", StageResult(outcomes=(outcome,), causes=(cause,))),
        make.run(lock, "eval", "tiny-choice", StageResult(evaluation=evaluation)),
        make.run(lock, "bench", "bench", StageResult(bench=bench)),
    ]
    return report(lock, runs)
