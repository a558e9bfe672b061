"""Several projects and processes on one store: which projects use it, and how a prune and those who bring blobs keep apart.

Whoever counts on a blob that no lock names yet holds a lock file of its own from before it looks until the lock is written; any number
may. A prune holds the one lock under which these are taken, and begins only when none of them is held.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.core.files import atomic_write
from pipeline.core.project import Project
from pipeline.store.layout import Store

_PRUNE, _ADDING = "prune", "adding-"
_NOT_OURS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def register(project: Project, store: Store) -> None:
    """Leave word in a store that lies outside the project: its blobs are wanted here too."""
    if store.root.resolve().is_relative_to(project.root.resolve()):
        return
    place = _place(store, project.root)
    if not place.is_file():
        with adding(store):
            atomic_write(place, f"{project.root.resolve()}\n")


def forget(root: Path, store: Store) -> None:
    """Take back what ``register`` left."""
    _place(store, root).unlink(missing_ok=True)


def users(project: Project, store: Store) -> list[Path]:
    """Return the roots of all projects that use a store, this one first. Raises OSError when that can't be known."""
    own = project.root.resolve()
    others = {Path(place.read_text().rstrip("\n")) for place in _listed(store.root / "projects")}
    return [own, *sorted(others - {own})]


@contextmanager
def adding(store: Store) -> Iterator[None]:
    """Keep prunes away while blobs are counted on that no lock names yet. Waits for one that is under way. Where this process may not
    write, it can keep nobody away, and doesn't try. Raises OSError.
    """
    name = f"{_ADDING}{secrets.token_hex(8)}"
    with ExitStack() as stack:
        try:
            with store.lock(_PRUNE):
                stack.enter_context(store.lock(name))
                stack.callback((store.root / "locks" / name).unlink, missing_ok=True)
        except OSError as error:
            if error.errno not in _NOT_OURS:
                raise
        yield


@contextmanager
def alone(store: Store) -> Iterator[None]:
    """Keep out whoever would count on blobs that no lock names. Raises UsageError at once when somebody does already."""
    with ExitStack() as stack:
        try:
            stack.enter_context(store.lock(_PRUNE, wait=0.0))
            for path in _listed(store.root / "locks"):
                if path.name.startswith(_ADDING) and path.suffix != ".owner":
                    with store.lock(path.name, wait=0.0):  # it was killed
                        path.unlink(missing_ok=True)
        except UsageError:
            said = f"models are being locked, imported or pruned in the store {store.root}"
            raise UsageError(said, hint="run assay prune again when that has ended; nothing was removed") from None
        yield


def _place(store: Store, root: Path) -> Path:
    return store.root / "projects" / Digest.of(str(root.resolve()).encode()).short


def _listed(folder: Path) -> list[Path]:
    """Return what is in a folder, without what an atomic write has not finished. Raises OSError but where there is no folder."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return []
