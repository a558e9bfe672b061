"""Quality by log-likelihoods: a locked model, and the one it is compared with, in a child process, with the scores that are
kept.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.core.canonical import digest_of
from pipeline.core.errors import LockOutOfDate
from pipeline.evals.engine import Model, compares
from pipeline.evals.model import EvalResult
from pipeline.flow.prepare import fetch_all, verify_all
from pipeline.flow.session import Session, Stored
from pipeline.lock.model import Lockfile


def score(session: Session, stored: Stored, folder: Path, *, resume: bool) -> EvalResult:
    """Run the suite in ``folder``. With ``resume``, scores that were kept of the same weights, engine, machine and tokens are
    taken as they are. Raises as ``fleet.local.evaluate``."""
    from pipeline.fleet.local import evaluate

    lock = stored.lock
    return evaluate(
        folder,
        model_of(session, stored, lock),
        threads=session.threads(lock),
        gpu_layers=lock.spec.engine.gpu_layers,
        reference=_reference(session, lock) if compares(folder) else None,
        scores=session.project.scores if resume else None,
        progress=session.progress,
    )


def model_of(session: Session, stored: Stored, settings: Lockfile) -> Model:
    """Return a stored model as the scorer takes it. It is run with the threads and layers on a GPU that ``settings`` says,
    which is its own lock, or that of the model it is compared with."""
    identity = {
        "weights": [file.sha256 for file in stored.lock.shards],
        "overrides": dict(stored.lock.spec.engine.overrides),
        "engine": str(session.require_engine(stored.lock).identity.digest),
        "hardware": str(session.hardware.digest),
        "threads": session.threads(settings),
        "gpu_layers": settings.spec.engine.gpu_layers,
    }
    engine = stored.lock.spec.engine
    return Model(stored.weights, engine.overrides, str(digest_of(identity)), engine.pooling or "model")


def _reference(session: Session, lock: Lockfile) -> Model | None:
    """Return the model that the lock names as its reference, fetched and hashed again."""
    if lock.reference is None:
        return None
    other = session.current(lock.reference.name)
    if tuple(file.sha256 for file in other.shards) != lock.reference.weights:
        said = f"{other.name} is not the reference that {lock.name} locks: its weights are others"
        raise LockOutOfDate(said, hint=f"run assay lock {lock.name}")
    fetch_all(session, [other])
    verify_all(session, [other], deep=True)
    return model_of(session, session.stored(other), lock)


def answerer(session: Session, lock: Lockfile) -> str:
    """Return what the answers of the locked server belong to: all of its files, what it runs on, and its arguments, those
    left out that differ from start to start."""
    identity = {
        "files": [[file.role, file.sha256] for file in lock.files],
        "engine": str(session.require_engine(lock).identity.digest),
        "hardware": str(session.hardware.digest),
        "threads": session.threads(lock),
        "argv": list(lock.argv),
    }
    return str(digest_of(identity))
