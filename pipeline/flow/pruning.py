"""What may leave the store: whatever no lock names, of this project or of any other that uses the same store."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.core.files import atomic_write
from pipeline.core.project import Project
from pipeline.flow.session import Session
from pipeline.lock.load import read_lock
from pipeline.store.layout import Store
from pipeline.store.prune import Pruned, prune

_SUFFIX = ".lock.json"


def register(project: Project, store: Store) -> None:
    """Leave word in a store that lies outside the project: its blobs are wanted here too."""
    if store.root.resolve().is_relative_to(project.root.resolve()):
        return
    place = _places(store) / Digest.of(str(project.root.resolve()).encode()).short
    if not place.is_file():
        atomic_write(place, f"{project.root.resolve()}\n")


def users(project: Project, store: Store) -> list[Path]:
    """Return the roots of all projects that use a store, this one first."""
    own = project.root.resolve()
    others = {Path(place.read_text().rstrip("\n")) for place in sorted(_places(store).glob("*")) if place.is_file()}
    return [own, *sorted(others - {own})]


def wanted(project: Project, store: Store, forget: tuple[Path, ...] = ()) -> set[Digest]:
    """Return every digest that a lock of any known project names. Raises UsageError for a project that can't be looked at, unless it
    is to be forgotten, and LockOutOfDate for a lock that can't be read: what it names is not known then.
    """
    forgotten = {path.resolve() for path in forget}
    found: set[Digest] = set()
    for root in users(project, store):
        if root in forgotten:
            continue
        if not root.is_dir():
            hint = f"bring it back, or say that it is gone: --forget {root}"
            raise UsageError(f"the store is used by the project in {root} too, which is not there now", hint=hint)
        for path in sorted((root / "lockfiles").glob(f"*{_SUFFIX}")):
            lock = read_lock(Project(root), path.name.removesuffix(_SUFFIX))
            found |= {file.digest for file in lock.files}
    return found


def prune_store(session: Session, *, dry_run: bool, forget: tuple[Path, ...] = ()) -> Pruned:
    """Remove what no lock names. Raises as ``wanted`` does; nothing is removed then."""
    keep = wanted(session.project, session.store, forget)
    pruned = prune(session.store, keep, dry_run=dry_run)
    if not dry_run:
        for path in forget:
            (_places(session.store) / Digest.of(str(path.resolve()).encode()).short).unlink(missing_ok=True)
    return pruned


def _places(store: Store) -> Path:
    return store.root / "projects"
