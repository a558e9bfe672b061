"""Do a recorded run again, on the same bytes by the same engine, and say what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline import __version__
from pipeline.compare.again import Difference, differences
from pipeline.core.canonical import tree_digest
from pipeline.core.errors import DigestMismatch, EngineError, LockOutOfDate, UsageError
from pipeline.evals.engine import compares
from pipeline.flow.history import recorded_lock, recorded_run
from pipeline.flow.session import Session
from pipeline.flow.stages import Job, jobs_of, perform
from pipeline.lock.model import Lockfile
from pipeline.record.model import Run
from pipeline.record.read import engine as recorded_engine


@dataclass(frozen=True)
class Reproduced:
    """A run and its repetition. ``notes`` say what else was another: the machine, Assay itself."""

    before: Run
    after: Run
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether all is the same, bit for bit."""
        return not self.differences

    @property
    def count(self) -> int:
        """How many items, cases or findings were compared."""
        result = self.before.result
        return len(result.evaluation.items) if result.evaluation else len(result.outcomes) or len(result.findings)


def reproduce(session: Session, id: str) -> Reproduced:
    """Do the run of this id again and compare; nothing is recorded, and what is on record is not read for it.

    The lock is the recorded one, so that it needs to lie in ``lockfiles/`` no more; its blobs must be in the store.
    Raises UsageError when there is no such run or it can't be repeated, EngineError for another engine, DigestMismatch
    for a blob that is missing or bad, LockOutOfDate for a suite that is another now.
    """
    run = recorded_run(session, id)
    if run.key.stage == "bench":
        hint = "measure again with assay bench --force, and look at both"
        raise UsageError(f"{id} is a benchmark: times are never the same twice", hint=hint)
    lock = recorded_lock(session, run.key.lock_digest)
    _require_engine(session, run, lock)
    _require_blobs(session, lock)
    _require_subject(session, run, lock)
    _require_reference(session, run, lock)
    after = perform(session, Job(lock, run.key))
    found = differences(run.result, after.result)
    return Reproduced(run, after, found, (*_notes(session, run), *_together(run, found)))


def _require_engine(session: Session, run: Run, lock: Lockfile) -> None:
    here = str(session.require_engine(lock).identity.digest)
    if here != run.key.engine_digest:
        known = recorded_engine(session.project.database, run.key.engine_digest)
        made = f" (llama.cpp {known['commit']})" if known.get("commit") else ""
        said = f"{run.id} was made by the engine {run.key.engine_digest}{made}; this one is {here}"
        raise EngineError(said, hint="name that build with --engine")


def _require_blobs(session: Session, lock: Lockfile) -> None:
    missing = [f"  {file.sha256}  {file.path}" for file in lock.files if not session.store.has(file.digest)]
    if missing:
        listed = "\n".join(missing)
        hint = f"run assay fetch {lock.name} where its lock still names them, or assay import a bundle that has them"
        raise DigestMismatch(f"the store does not have what the run was made of:\n{listed}", hint=hint)


def _require_subject(session: Session, run: Run, lock: Lockfile) -> None:
    name, want = run.key.subject, run.key.subject_digest
    if run.key.stage == "lint":
        now = jobs_of(session, lock, ["lint"])[0].key.subject_digest
        if now != want:
            said = f"{run.id} was linted by other rules (Assay {run.assay_version or 'unknown'}): {want}, now {now}"
            raise UsageError(said, hint="use that version of Assay")
        return
    folder = session.project.suites / name
    here = str(tree_digest(folder)) if (folder / "suite.yaml").is_file() else None
    if here != want:
        version = lock.suites[name].version if name in lock.suites else "unknown"
        said = f"evals/{name} is {'not there' if here is None else here}; the run wants {want} (version {version})"
        raise LockOutOfDate(said, hint="restore that version of the suite, from the commit of the run")


def _require_reference(session: Session, run: Run, lock: Lockfile) -> None:
    """Refuse where the model that this one was compared with is another one now."""
    if run.key.stage != "eval" or lock.reference is None or not compares(session.project.suites / run.key.subject):
        return
    other = session.current(lock.reference.name)
    now = tuple(file.sha256 for file in other.shards)
    if now != lock.reference.weights:
        said = f"{lock.reference.name}, which {run.id} was compared with, is {now[0]} now; the run wants {lock.reference.weights[0]}"
        raise LockOutOfDate(said, hint="restore that lock of the reference, from the commit of the run")
    _require_blobs(session, other)


def _together(run: Run, found: Sequence[Difference]) -> Iterator[str]:
    """Say why answers may differ though nothing was changed."""
    evaluation = run.result.evaluation
    shared = [metric.value for metric in evaluation.metrics if metric.name == "at_once"] if evaluation else []
    if found and shared and shared[0] > 1:
        yield (
            f"{shared[0]:.0f} requests shared the server, so that the shape of a batch, and with it the last bits of a result, "
            "depended on time; a suite with at_once: 1 has answers that do not"
        )


def _notes(session: Session, run: Run) -> list[str]:
    notes = []
    if str(session.hardware.digest) != run.key.hardware_digest:
        notes.append(f"another machine: made on {run.key.hardware_digest}, done again on {session.hardware.digest}")
    if run.assay_version != __version__:
        notes.append(f"another Assay: {run.assay_version or 'unknown'} then, {__version__} now")
    return notes
