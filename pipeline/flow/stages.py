"""The stages that test a model. Each is a job that gives one run; a job whose key is on record is not done again unless
forced.

What a stage needs to run is imported when it runs: where all is on record, nothing of it is loaded.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import __version__
from pipeline.core.canonical import digest_of, tree_digest
from pipeline.core.digest import Digest
from pipeline.core.errors import EngineError, LockOutOfDate, UsageError
from pipeline.flow.dating import read_template
from pipeline.flow.session import Session, Stored
from pipeline.flow.watch import Watch
from pipeline.lint.engine import ignored, lint, rules_digest, skipped
from pipeline.lint.model import NotJudged
from pipeline.lint.subject import Subject, subject_of
from pipeline.lock.model import Lockfile
from pipeline.record.model import Run, RunKey, StageResult
from pipeline.record.read import runs_of

if TYPE_CHECKING:
    from pipeline.runtime.build import EngineBuild
    from pipeline.runtime.server import Running
    from pipeline.runtime.serving import Serving

STAGES = ("lint", "check", "eval", "bench")


@dataclass(frozen=True)
class Job:
    """One thing to do: the key that its run will have. ``resume`` lets it go on where one before was stopped."""

    lock: Lockfile
    key: RunKey
    resume: bool = False


@dataclass(frozen=True)
class Done:
    """A job's run, and whether it was on record already."""

    run: Run
    reused: bool


def jobs_of(session: Session, lock: Lockfile, stages: Iterable[str] = STAGES) -> list[Job]:
    """Return all jobs of a lock, in order."""
    engine = session.require_engine(lock).identity.digest
    machine = session.hardware.digest
    bench = digest_of({"bench": lock.spec.bench.model_dump(mode="json"), "threads": session.threads(lock)})
    subjects = {
        "lint": [("lint", str(_lint_key(lock)))],
        "check": [(name, lock.suites[name].digest) for name in lock.spec.checks],
        "eval": [(name, lock.suites[name].digest) for name in lock.spec.evals],
        "bench": [("bench", str(bench))],
    }
    return [
        Job(lock, RunKey(str(lock.digest), str(engine), str(machine), stage, subject, digest))
        for stage in stages
        for subject, digest in subjects[stage]
    ]


def recorded(session: Session, lock: Lockfile) -> list[Run]:
    """Return the runs on record that count for a lock: on this engine and hardware, by this version of Assay, under the
    rules, suites and settings of now.
    """
    engine = session.require_engine(lock).identity.digest
    runs = runs_of(session.project.database, str(lock.digest), str(engine), str(session.hardware.digest))
    keys = {job.key for job in jobs_of(session, lock)}
    return [run for run in runs if run.key in keys and run.assay_version == __version__]


def do(
    session: Session,
    jobs: list[Job],
    *,
    force: bool = False,
    told: Callable[[Job, Done | None], None] = lambda *_: None,
) -> list[Done]:
    """Do what is not on record, one job after the other, each recorded as soon as it ends. ``told`` hears of each start
    and end.

    The files are hashed again before each job. Raises DigestMismatch or LockOutOfDate when the files or the suite of a
    job changed until its end: it is not recorded then.
    """
    known = {
        run.key: run for lock in {job.lock.name: job.lock for job in jobs}.values() for run in recorded(session, lock)
    }
    done = []
    for job in jobs:
        told(job, None)
        if (run := known.get(job.key)) and not force:
            result = Done(run, True)
        else:
            run = perform(session, replace(job, resume=not force))
            record(session, job.lock, run)
            result = Done(run, False)
        done.append(result)
        told(job, result)
    return done


def perform(session: Session, job: Job) -> Run:
    """Do one job and return its run, which is not recorded. Raises as ``do`` does."""
    watch = Watch(session, job.lock)
    run = _do(session, job)
    watch.look()
    _require_same_suite(session, job)
    return run


def _do(session: Session, job: Job) -> Run:
    started, clock = datetime.now(UTC), time.monotonic()
    try:
        result, argv = _STAGES[job.key.stage](session, session.stored(job.lock), job)
    except (EngineError, UsageError) as error:  # a command has several models and suites
        subject = f" {job.key.subject}" if job.key.subject != job.key.stage else ""
        error.message = f"{job.lock.name}, {job.key.stage}{subject}: {error.message}"
        raise
    return Run(
        id=f"{started:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
        model=job.lock.name,
        key=job.key,
        started=started,
        seconds=time.monotonic() - clock,
        result=result,
        assay_version=__version__,
        argv=argv,
        seed=job.lock.spec.sampling.seed,
        outputs_digest=str(digest_of(_outputs(result))),
    )


def _require_same_suite(session: Session, job: Job) -> None:
    """Raise LockOutOfDate when the suite on disk is no longer the one that the run's key names."""
    name = job.key.subject
    if job.key.stage in ("check", "eval") and str(tree_digest(session.project.suites / name)) != job.key.subject_digest:
        said = f"evals/{name} is not the suite that {job.lock.name} locks: it was changed while this ran"
        raise LockOutOfDate(said, hint=f"run assay lock {job.lock.name}, then this command again")


def record(session: Session, lock: Lockfile, run: Run) -> None:
    """Record a run, and what it was made of."""
    key, engine, recorder = run.key, session.require_engine(lock), session.recorder
    recorder.model(key.lock_digest, lock.name, lock.content())
    recorder.engine(key.engine_digest, engine.identity.content())
    recorder.hardware(key.hardware_digest, session.hardware.content())
    recorder.add(run)


def _outputs(result: StageResult) -> object:
    """Return what a second run must give again: answers and scores, not times."""
    if result.evaluation:
        return asdict(result.evaluation)
    judged = [[outcome.suite, outcome.name, outcome.verdict, outcome.diagnosis] for outcome in result.outcomes]
    measured = [[row.layer, row.test, row.metric] for row in result.bench]
    return {"findings": [asdict(finding) for finding in result.findings], "outcomes": judged, "bench": measured}


_Result = tuple[StageResult, tuple[str, ...]]


def subject_stored(stored: Stored, engine: EngineBuild | None = None) -> Subject:
    """Return what lint judges of a stored model with its spec."""
    template = read_template(stored.template) if stored.template else None
    lock = stored.lock
    subject = subject_of(stored.weights, spec=lock.spec, license_id=lock.license.id, template=template)
    return replace(subject, lock=lock, engine=engine)


def _lint_key(lock: Lockfile) -> Digest:
    """Return what lint's verdicts depend on beside the lock: the rules, and which suppressions are over."""
    over = {item.code for item in lock.spec.lint.ignore} - ignored(lock.spec)
    return digest_of({"rules": str(rules_digest()), "over": sorted(over)}) if over else rules_digest()


def _lint(session: Session, stored: Stored, job: Job) -> _Result:
    subject = subject_stored(stored, session.require_engine(stored.lock))
    left_out = ignored(stored.lock.spec)
    found = lint(subject)
    why = tuple(NotJudged(code, reason) for code, reason in skipped(subject).items() if code not in left_out)
    return StageResult(findings=tuple(replace(one, mend=None) for one in found), not_judged=why), ()


def _serve(session: Session, stored: Stored) -> AbstractContextManager[Running]:
    from pipeline.runtime.server import running

    threads = session.threads(stored.lock)
    build, lock = session.require_engine(stored.lock), stored.lock
    if session.any_commit:  # what the server says of itself is held against its own commit
        own = lock.engine.model_copy(update={"llama_cpp_commit": build.identity.commit})
        lock = lock.model_copy(update={"engine": own})
    return running(build, lock, weights=stored.weights, template=stored.template, mmproj=stored.mmproj, threads=threads)


def _check(session: Session, stored: Stored, job: Job) -> _Result:
    from pipeline.checks.engine import load_suite, run_suite

    lock = stored.lock
    suite = load_suite(session.project.suites / job.key.subject)
    sampling = lock.spec.sampling.model_dump()
    with _serve(session, stored) as server:
        checked = run_suite(
            suite,
            server.client,
            model=lock.name,
            sampling=sampling,
            progress=session.progress,
        )
        return StageResult(outcomes=checked.outcomes, causes=checked.causes), server.argv


def _eval(session: Session, stored: Stored, job: Job) -> _Result:
    from pipeline.evals.engine import needs
    from pipeline.flow.scoring import score

    folder = session.project.suites / job.key.subject
    if needs(folder) == "server":
        return _eval_through_server(session, stored, folder, resume=job.resume)
    return StageResult(evaluation=score(session, stored, folder, resume=job.resume)), ()


def _eval_through_server(session: Session, stored: Stored, folder: Path, *, resume: bool) -> _Result:
    from pipeline.evals.engine import ask_suite, load_suite

    suite = load_suite(folder)
    with serving(session, stored, resume=resume) as (asked, argv):
        return StageResult(evaluation=ask_suite(suite, asked, progress=session.progress)), argv


@contextmanager
def serving(session: Session, stored: Stored, *, resume: bool = False) -> Iterator[tuple[Serving, tuple[str, ...]]]:
    """Run the locked server for evals; yields it with its argv. With ``resume``, answers are kept, and those that were kept
    of the same model, engine, machine and arguments are taken as they are."""
    from pipeline.flow.scoring import answerer
    from pipeline.runtime.ask import template_caps
    from pipeline.runtime.kept_answers import Answers
    from pipeline.runtime.kept_scores import Scores
    from pipeline.runtime.serving import Serving

    spec = stored.lock.spec
    with ExitStack() as stack:
        server = stack.enter_context(_serve(session, stored))
        scores = Scores(session.project.scores, answerer(session, stored.lock)) if resume else None
        asked = Serving(
            server.client,
            spec.name,
            sampling=spec.sampling.model_dump(),
            slots=spec.engine.slots,
            context=spec.engine.context,
            template=_has_template(stored),
            tools=template_caps(server.client).get("supports_tools"),
            kept=Answers(stack.enter_context(scores)) if scores else None,
        )
        yield asked, server.argv


def _bench(session: Session, stored: Stored, job: Job) -> _Result:
    from pipeline.flow.benching import measure

    chat = stored.lock.spec.profile == "chat" and _has_template(stored)
    rows, argv = measure(session, stored, lambda: _serve(session, stored), chat=chat)
    return StageResult(bench=rows), argv


def _has_template(stored: Stored) -> bool:
    return stored.template is not None or stored.lock.gguf.get("template_digest") is not None


_STAGES = {"lint": _lint, "check": _check, "eval": _eval, "bench": _bench}
