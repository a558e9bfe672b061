"""What a deployment of a lock on this machine comes to: the order for a plan, and the event for the log."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.digest import Digest
from pipeline.core.errors import EngineError
from pipeline.core.proc import run
from pipeline.deploy.log import Event, mark
from pipeline.deploy.plan import Host, Order, Plan
from pipeline.flow.prepare import verify_all
from pipeline.flow.session import Session
from pipeline.gguf.memory import Memory
from pipeline.lock.model import Lockfile
from pipeline.runtime.params import planned


@dataclass(frozen=True)
class Wanted:
    """What the user asks for beside the model's name. ``override`` is the reason to deploy what the gate did not accept."""

    target: str
    port: int | None = None
    image: str = ""
    override: str = ""
    output: Path | None = None


def order_of(session: Session, lock: Lockfile, wanted: Wanted, decision: str) -> Order:
    """Return the order for a plan; the lock's files are in the store. Raises EngineError."""
    build, stored = session.require_engine(lock), session.stored(lock)
    host = Host(
        root=session.project.root,
        server=build.server,
        engine=build.files(),
        environment=build.environment,
        threads=session.threads(lock),
        memory=session.hardware.memory_limit or session.hardware.memory,
    )
    return Order(
        lock,
        host,
        {file.sha256: session.store.path(file.digest) for file in lock.files},
        stored.weights,
        memory_of(session, lock),
        decision,
        port=lock.spec.deploy.port if wanted.port is None else wanted.port,
        image=wanted.image,
    )


def memory_of(session: Session, lock: Lockfile) -> Memory:
    """Return what a lock takes, by the headers of its files in the store. Raises GgufError, OSError."""
    return planned(lock, session.stored(lock).headers())


def actor(session: Session) -> dict[str, Any]:
    """Return who acts: the user, and the commit of the project where it lies in a git repository."""
    uid = os.getuid()
    user = ""
    with suppress(KeyError):
        user = pwd.getpwuid(uid).pw_name
    commit = None
    with suppress(EngineError):
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
        done = run(("git", "-C", str(session.project.root), "rev-parse", "HEAD"), env=env, timeout=10.0)
        commit = done.stdout.strip() if done.returncode == 0 else None
    return {"uid": uid, "user": user, "commit": commit}


def event_of(session: Session, lock: Lockfile, planned: Plan, wanted: Wanted) -> Event:
    """Return what the deployment log is told, after every byte of the model was hashed. Raises DigestMismatch, EngineError."""
    proof = [mark(session.store.path(file.digest), file.digest) for file in lock.files]
    verify_all(session, [lock], deep=True)  # after the marks: a file that changes meanwhile gets others
    build = session.require_engine(lock)
    template = lock.template.sha256 if lock.template else lock.gguf.get("template_digest")
    proof += [mark(path, Digest.parse(digest)) for path, digest in sorted(build.files().items())]
    return Event(
        lock.name,
        "deploy",
        wanted.target,
        str(lock.digest),
        actor=actor(session),
        engine=str(build.identity.digest),
        hardware=str(session.hardware.digest),
        weights=tuple(file.sha256 for file in lock.shards),
        template=str(template) if template else None,
        argv=planned.argv,
        env_keys=tuple(sorted(planned.env)),
        override=wanted.override or None,
        proof=tuple(proof),
        files={name: str(Digest.of(text.encode())) for name, text in sorted(planned.files.items())},
        options={
            "port": wanted.port,
            "image": wanted.image or None,
            "output": str(wanted.output.resolve()) if wanted.output else None,
        },
    )
