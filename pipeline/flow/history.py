"""Runs and locks as the record has them, by the names that users give."""

from __future__ import annotations

import re
from difflib import get_close_matches

from pydantic import ValidationError

from pipeline.compare.model import Side
from pipeline.core.errors import DigestMismatch, UsageError
from pipeline.flow.session import Session
from pipeline.flow.stages import recorded
from pipeline.lock.model import Lockfile
from pipeline.record.history import history, metrics_on_record, of_runs
from pipeline.record.model import Run
from pipeline.record.read import locks_like, model, run_by_id
from pipeline.spec.load import spec_files

DIGEST = re.compile(r"^sha256:[0-9a-f]{6,64}$")
RUN_ID = re.compile(r"^[0-9]{8}T[0-9]{6}-[0-9a-f]{8}$")


def recorded_run(session: Session, id: str) -> Run:
    """Return a run by its id. Raises UsageError when there is none."""
    run = run_by_id(session.project.database, id)
    if run is None:
        hint = 'list them: assay query "SELECT id, model, stage, subject, started FROM runs ORDER BY started"'
        raise UsageError(f"no run {id!r} on record", hint=hint)
    return run


def recorded_lock(session: Session, digest: str) -> Lockfile:
    """Return a lock as the record has it, whether or not it still lies in ``lockfiles/``. Raises UsageError when it has
    none that this Assay reads, DigestMismatch when its content is not what its digest says.
    """
    content = model(session.project.database, digest)
    if not content:
        raise UsageError(
            f"the lock {digest} is not on record", hint="it is recorded with every run: run the model again"
        )
    try:
        lock = Lockfile.model_validate(content)
    except ValidationError as error:
        fault = error.errors()[0]
        said = f"the recorded lock {digest} can't be read: {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
        raise UsageError(said, hint="it was made by another version of Assay; use that one") from None
    if str(lock.digest) != digest:
        said = f"the record's lock of {lock.name} is not what its digest says: {lock.digest}, want {digest}"
        raise DigestMismatch(said, hint="the record was changed: restore .assay/results.duckdb")
    return lock


def side_of(session: Session, name: str) -> Side:
    """Return one side of a comparison: a run by its id, or all that counts for a lock on this engine and hardware: a spec's
    lock of now, or one on record by its digest or the beginning of it.

    Raises UsageError where nothing is on record, and what a spec's lock raises.
    """
    if RUN_ID.match(name):
        run = recorded_run(session, name)
        return Side(f"{run.model} ({name})", recorded_lock(session, run.key.lock_digest), (run,))
    if DIGEST.match(name):
        lock = recorded_lock(session, _whole(session, name))
        shown = f"{lock.name} ({lock.digest.short})"
    else:
        lock, shown = session.current(name), name
    runs = tuple(run for run in recorded(session, lock) if run.key.stage in ("check", "eval"))
    if not runs:
        said = f"no check and no eval of {shown} is on record for this lock, engine and hardware"
        raise UsageError(said, hint=f"run assay run {lock.name}")
    return Side(shown, lock, runs)


def hardware_named(session: Session, beginning: str) -> str:
    """Return the digest of a class of hardware that runs are on record of, by its beginning. Raises UsageError."""
    known = of_runs(session.project.database, "hardware_digest")
    found = [digest for digest in known if digest.startswith(beginning)]
    if len(found) != 1:
        said = f"{len(found) or 'no'} classes of hardware on record begin with {beginning}"
        raise UsageError(said, hint=f"there are: {', '.join(found or known) or 'none'}; or all")
    return found[0]


def no_history(session: Session, name: str, metric: str, hardware: str) -> UsageError:
    """Return what is wrong where a model has no value of a metric on a class of hardware: the model, the metric, or that class."""
    database = session.project.database
    if name not in (models := of_runs(database, "model")):
        specs = [path.stem for path in spec_files(session.project)]
        hint = f"run assay run {name}" if name in specs else _near(name, models)
        return UsageError(f"no run of {name} is on record", hint=hint)
    if values := history(database, name, metric):
        there = ", ".join(sorted({one.hardware_digest for one in values}))
        said = f"{name} has {metric} on record, but not on the hardware {hardware}"
        return UsageError(said, hint=f"name another with --hardware: {there}, or all")
    known = metrics_on_record(database, name)
    if not known:
        return UsageError(f"no run of {name} on record has a metric", hint=f"run assay run {name}")
    base = metric.partition("@")[0]
    tests = [one for one in known if one.startswith(f"{base}@")]
    return UsageError(
        f"no run of {name} on record has {metric}",
        hint=_near(metric, tests or list(dict.fromkeys(one.partition("@")[0] for one in known))),
    )


def _near(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return (f"did you mean {near[0]}? " if near else "") + f"there are: {', '.join(known) or 'none'}"


def _whole(session: Session, beginning: str) -> str:
    found = locks_like(session.project.database, beginning)
    if len(found) != 1:
        said = f"{len(found) or 'no'} locks on record begin with {beginning}"
        hint = 'list them: assay query "SELECT lock_digest, name FROM models"'
        raise UsageError(said, hint=hint)
    return found[0]
