"""Lockfiles on disk: read, write, and compare with their specs."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from pipeline.core.canonical import digest_of, pretty, read_json, tree_digest
from pipeline.core.digest import Digest
from pipeline.core.errors import LockOutOfDate
from pipeline.core.files import atomic_write
from pipeline.core.project import Project
from pipeline.lock.argv import compile_argv
from pipeline.lock.compile import license_of, pinned_engine
from pipeline.lock.diff import Change, diff
from pipeline.lock.model import LOCK_VERSION, Lockfile
from pipeline.spec.load import shown
from pipeline.spec.model import Spec
from pipeline.spec.suite import plugins_of


class NewerLock(LockOutOfDate):
    """The lock was made by a newer Assay, and this one would lose what it says."""


def lock_path(project: Project, name: str) -> Path:
    """Return where the lock of ``name`` lies."""
    return project.lockfiles / f"{name}.lock.json"


def read_lock(project: Project, name: str) -> Lockfile:
    """Read a lock. Raises LockOutOfDate when there is none or it is damaged, NewerLock when it is of a newer Assay."""
    path = lock_path(project, name)
    again = f"run assay lock {name}"
    try:
        content = read_json(path.read_bytes())
    except FileNotFoundError:
        raise LockOutOfDate(f"no lock for {name}: {shown(path)} does not exist", hint=again) from None
    except (OSError, ValueError) as error:
        raise LockOutOfDate(f"{shown(path)} is not a lockfile: {error}", hint=f"restore it, or {again}") from None
    version = content.get("lock_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > LOCK_VERSION:
        said = f"{shown(path)} has lock version {version}; this Assay reads {LOCK_VERSION}"
        raise NewerLock(said, hint="upgrade Assay; it stays as it is")
    try:
        lock = Lockfile.model_validate(content)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:5]]
    else:
        faults = _contradictions(lock, name)
    if faults:
        raise LockOutOfDate(f"{shown(path)} is damaged: {'; '.join(faults)}", hint=f"restore it, or {again}")
    return lock


def _contradictions(lock: Lockfile, name: str) -> list[str]:
    """Return where a lock says two things at once, as no lock does that was left as it was made."""
    spec, roles = lock.spec, [file.role for file in lock.files]
    pairs = {
        "name": (lock.name, spec.name),
        "the file's name": (name, lock.name),
        "spec_digest": (lock.spec_digest, str(digest_of(lock.content()["spec"]))),
        "source.original": (lock.source.original, spec.source),
        "weights": (roles.count("weights"), 1),
        "chat templates of the spec": (
            sum(file.role == "chat_template" and file.urls[0].startswith("file:") for file in lock.files),
            int(bool(spec.chat.template)) + int(lock.dated_template is not None),
        ),
        "license": (lock.license, license_of(spec, lock.gguf.get("license"), lock.source)),
        "reference": (lock.reference and lock.reference.name, spec.reference),
        "suites": (sorted(lock.suites), sorted({*spec.checks, *spec.evals})),
    }
    faults = [f"{field} is {have}, want {want}" for field, (have, want) in pairs.items() if have != want]
    if spec.sha256 and not faults and lock.weights.sha256 != spec.sha256:
        faults.append(f"the weights are {lock.weights.sha256}, the spec says {spec.sha256}")
    return faults


def write_lock(project: Project, lock: Lockfile) -> bool:
    """Write a lock if its bytes changed; tells whether they did."""
    path, content = lock_path(project, lock.name), pretty(lock.content()).encode()
    if path.is_file() and path.read_bytes() == content:
        return False
    atomic_write(path, content)
    return True


def check_lock(project: Project, spec: Spec, lock: Lockfile) -> list[Change]:
    """Return what moved since the lock was made: the spec, its suites and template, the engine that Assay pins, how it is
    started. Needs no network.
    """
    changes = diff(lock.spec.content(), spec.content(), "spec")
    changes += diff(lock.engine.model_dump(mode="json"), pinned_engine().model_dump(mode="json"), "engine")
    for name in sorted({*spec.checks, *spec.evals} & set(lock.suites)):
        folder = project.suites / name
        now = str(tree_digest(folder)) if folder.is_dir() else None
        changes += diff(lock.suites[name].digest, now, f"suites.{name}.digest")
        if now == lock.suites[name].digest:
            changes += diff(
                lock.suites[name].plugins or {}, plugins_of(folder / "suite.yaml"), f"suites.{name}.plugins"
            )
    changes += _reference_changes(project, spec, lock)
    if not changes:
        changes += _template_changes(project, lock)
        changes += diff(list(lock.argv), list(compile_argv(spec, lock.weights.digest)), "argv")
    return changes


def _template_changes(project: Project, lock: Lockfile) -> list[Change]:
    """Return how the templates' files moved, if they are there: one is written by hand, like the spec that names it; one with
    a date lies beside the lock.
    """
    changes: list[Change] = []
    for file in lock.files:
        if file.role == "chat_template" and file.urls[0].startswith("file:"):  # one of the origin stays as it is
            path = project.root / file.urls[0].removeprefix("file:")
            if path.is_file():
                changes += diff(file.sha256, str(Digest.of_file(path)), "files.chat_template.sha256")
    return changes


def _reference_changes(project: Project, spec: Spec, lock: Lockfile) -> list[Change]:
    """Return how the weights of the reference moved since, in its own lock. Where that is not at hand, as on a machine that
    only serves, the weights that this lock names stand.
    """
    if lock.reference is None or spec.reference != lock.reference.name:  # a change of the spec, told as such
        return []
    try:
        now = [file.sha256 for file in read_lock(project, spec.reference).shards]
    except LockOutOfDate:
        return []
    return diff(list(lock.reference.weights), now, "reference.weights")


def require_current(project: Project, spec: Spec) -> Lockfile:
    """Return the lock of a spec. Raises LockOutOfDate with every field that moved."""
    lock = read_lock(project, spec.name)
    if changes := check_lock(project, spec, lock):
        listed = "\n".join(f"  {change}" for change in changes)
        pinned = sorted({str(change.old) for change in changes if ".plugins." in change.path and change.old})
        packages = f"install {', '.join(pinned)}, or " if pinned else ""
        hint = f"{packages}run assay lock {spec.name}"
        raise LockOutOfDate(f"the lock of {spec.name} is out of date:\n{listed}", hint=hint)
    return lock
