"""Lockfiles on disk: read, write, and compare with their specs."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from pipeline.core.canonical import pretty, tree_digest
from pipeline.core.errors import LockOutOfDate
from pipeline.core.files import atomic_write
from pipeline.core.project import Project
from pipeline.lock.argv import compile_argv
from pipeline.lock.compile import pinned_engine, spec_digest
from pipeline.lock.diff import Change, diff
from pipeline.lock.model import LOCK_VERSION, Lockfile
from pipeline.spec.load import shown
from pipeline.spec.model import Spec


def lock_path(project: Project, name: str) -> Path:
    """Return where the lock of ``name`` lies."""
    return project.lockfiles / f"{name}.lock.json"


def read_lock(project: Project, name: str) -> Lockfile:
    """Read a lock. Raises LockOutOfDate when there is none, it is damaged, or of a newer Assay."""
    path = lock_path(project, name)
    again = f"run assay lock {name}"
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise LockOutOfDate(f"no lock for {name}: {shown(path)} does not exist", hint=again) from None
    except (OSError, ValueError) as error:
        raise LockOutOfDate(f"{shown(path)} is not a lockfile: {error}", hint=f"restore it, or {again}") from None
    version = content.get("lock_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > LOCK_VERSION:
        raise LockOutOfDate(f"{shown(path)} has lock version {version}; this Assay reads {LOCK_VERSION}", hint="upgrade Assay")
    try:
        return Lockfile.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:5])
        raise LockOutOfDate(f"{shown(path)} is damaged: {faults}", hint=f"restore it, or {again}") from None


def write_lock(project: Project, lock: Lockfile) -> bool:
    """Write a lock if its bytes changed; tells whether they did."""
    path, text = lock_path(project, lock.name), pretty(lock.content())
    if path.is_file() and path.read_text() == text:
        return False
    atomic_write(path, text)
    return True


def check_lock(project: Project, spec: Spec, lock: Lockfile) -> list[Change]:
    """Return what moved since the lock was made: the spec, its suites, the engine that Assay pins. Needs no network."""
    changes = diff(lock.spec.content(), spec.content(), "spec")
    if not changes and lock.spec_digest != str(spec_digest(spec)):
        changes.append(Change("spec_digest", lock.spec_digest, str(spec_digest(spec))))
    changes += diff(lock.engine.model_dump(mode="json"), pinned_engine().model_dump(mode="json"), "engine")
    wanted = {*spec.checks, *spec.evals}
    for name in sorted(wanted & set(lock.suites)):
        folder = project.suites / name
        now = str(tree_digest(folder)) if folder.is_dir() else None
        changes += diff(lock.suites[name].digest, now, f"suites.{name}.digest")
    if not changes:
        changes += diff(list(lock.argv), list(compile_argv(spec, lock.weights.digest)), "argv")
    return changes


def require_current(project: Project, spec: Spec) -> Lockfile:
    """Return the lock of a spec. Raises LockOutOfDate with every field that moved."""
    lock = read_lock(project, spec.name)
    if changes := check_lock(project, spec, lock):
        listed = "\n".join(f"  {change}" for change in changes)
        raise LockOutOfDate(f"the lock of {spec.name} is out of date:\n{listed}", hint=f"run assay lock {spec.name}")
    return lock
