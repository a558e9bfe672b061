"""What may leave the store: whatever no lock names, of this project or of any other that uses the same store."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from pathlib import Path

from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.core.project import Project
from pipeline.deploy.kept import needed
from pipeline.flow.session import Session
from pipeline.lock.load import read_lock
from pipeline.store import sharing
from pipeline.store.layout import Store
from pipeline.store.prune import Pruned, is_there, prune

_SUFFIX = ".lock.json"


def wanted(project: Project, store: Store, forget: tuple[Path, ...] = ()) -> set[Digest]:
    """Return every digest that a lock of any known project names, or that one of its deployments runs on or may be rolled back to.

    Raises UsageError for a project whose locks are not there, unless it is to be forgotten, OSError for locks that can't be listed,
    and LockOutOfDate for one that can't be read: what it names is not known then.
    """
    forgotten = {path.resolve() for path in forget}
    found: set[Digest] = set()
    first, *others = (Project(root) for root in sharing.users(project, store))
    for one in (first, *others):
        if one.root in forgotten:
            continue
        try:
            names = _locked_in(one)
        except (FileNotFoundError, NotADirectoryError) as error:
            if isinstance(error, NotADirectoryError) and one.root.is_dir():
                raise
            if one is not first:
                raise _not_there(one) from None
            if os.path.lexists(one.lockfiles) or any(path.suffix == ".yaml" for path in one.specs.iterdir()):
                said = f"there are specs and no locks: {one.lockfiles} does not exist"
                raise UsageError(said, hint="bring it back, or run assay lock") from None
            continue
        for name in names:
            found |= {file.digest for file in read_lock(one, name).files}
        found |= needed(one.state)
    return found


def prune_store(session: Session, *, dry_run: bool, forget: tuple[Path, ...] = ()) -> Pruned:
    """Remove what no lock names. Raises as ``wanted`` does, and UsageError while something is locked or imported; nothing is removed
    then.
    """
    project, store, began = session.project, session.store, time.time()
    with sharing.alone(store) if is_there(store) and not dry_run else nullcontext():
        keep = wanted(project, store, forget)
        pruned = prune(store, keep, dry_run=dry_run, began=began)
        if not dry_run:
            for path in forget:
                sharing.forget(path, store)
    return pruned


def _locked_in(project: Project) -> list[str]:
    """Return the names of a project's locks. Raises OSError: a folder that can't be listed may hold any."""
    with os.scandir(project.lockfiles) as entries:
        return sorted(entry.name.removesuffix(_SUFFIX) for entry in entries if entry.name.endswith(_SUFFIX))


def _not_there(project: Project) -> UsageError:
    hint = f"bring it back, or say that it is gone: --forget {project.root}"
    what = "whose lockfiles/ is missing" if project.root.is_dir() else "which is not there now"
    return UsageError(f"the store is used by the project in {project.root} too, {what}", hint=hint)
