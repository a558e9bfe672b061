"""Import: a bundle into a project and its store. Every byte is checked before anything of it can be seen."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from pipeline.airgap.carried import BLOBS, Damaged, NoBundle, open_bundle
from pipeline.airgap.described import Model, read_models
from pipeline.airgap.plan import Bundle, Plan, content_of, plan
from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, UsageError
from pipeline.core.files import atomic_write
from pipeline.core.progress import SILENT, Progress, Task
from pipeline.core.project import Project
from pipeline.store.hashing import Hasher
from pipeline.store.layout import Store
from pipeline.store.sharing import adding, register

_HINT = "nothing was taken in; bring the bundle, or the file that is named, again"


@dataclass(frozen=True)
class Imported:
    """What an import brought, or would bring: the models, new blobs with their bytes, and files of the project."""

    models: tuple[Model, ...]
    blobs: int
    size: int
    written: tuple[Path, ...]


def take_in(
    path: Path,
    project: Project,
    store: Store,
    *,
    dry_run: bool = False,
    force: bool = False,
    progress: Progress = SILENT,
) -> Imported:
    """Bring the models of a bundle into the store, then their locks, specs, suites and results into the project.

    Raises DigestMismatch naming everything that is damaged or missing, UsageError for what is no bundle, and for other files of
    the project that are in the way, unless ``force`` replaces them. In these cases nothing was changed.
    """
    with _damage_told():
        bundle = open_bundle(path)
        models = read_models(bundle)
    planned = plan(bundle, models, project, force=force)
    files = {file.digest: file.size for lock in planned.locks.values() for file in lock.files}
    with nullcontext() if dry_run else adding(store):
        new = {digest.hex: size for digest, size in files.items() if not store.trusted(digest)}
        _check_space(store.root, 0 if dry_run else sum(new.values()))
        total = sum(bundle.names.values())
        with _staging(store, dry_run) as stage, progress.task(f"import {path.name}", total, "B") as task:
            with _damage_told():
                leaves, problems = _checked(bundle, new, stage, task)
            if problems:
                raise DigestMismatch("\n".join(problems), hint=_HINT)
            if stage:
                register(project, store)
                for hex, found in leaves.items():
                    with store.lock(hex):
                        if not store.trusted(Digest(hex)):
                            store.publish(stage / hex, Digest(hex), found)
                _write(bundle, planned)
    written = tuple(write.target for write in planned.writes)
    return Imported(tuple(models), len(new), sum(new.values()), written)


def _checked(
    bundle: Bundle, new: dict[str, int], stage: Path | None, task: Task
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Hash every byte, and keep new blobs in ``stage``. Returns the leaf hashes of these, and all that is wrong."""
    leaves: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    for name, pieces in bundle.contents():
        hex = name.removeprefix(BLOBS)
        if stage and hex in new:
            hasher = Hasher()
            with (stage / hex).open("xb") as file:
                for piece in pieces:
                    hasher.update(piece)
                    file.write(piece)
                    task.advance(len(piece))
            got, leaves[hex] = hasher.digest.hex, hasher.leaves
        else:
            plain = hashlib.sha256()
            for piece in pieces:
                plain.update(piece)
                task.advance(len(piece))
            got = plain.hexdigest()
        if name.startswith(BLOBS) and got != hex:
            problems.append(f"{name}: sha256 is {got}")
    return leaves, [*dict.fromkeys(bundle.problems + problems)]


def _write(bundle: Bundle, planned: Plan) -> None:
    for write in planned.writes:
        content = content_of(bundle, write.content) if isinstance(write.content, str) else write.content
        atomic_write(write.target, content)


def _check_space(folder: Path, want: int) -> None:
    while not folder.exists():
        folder = folder.parent
    if (free := shutil.disk_usage(folder).free) < want:
        raise UsageError(f"{folder}: {free} bytes are free, the bundle brings {want}", hint="make room")


@contextmanager
def _staging(store: Store, dry_run: bool) -> Iterator[Path | None]:
    """Make a folder beside the blobs, where new ones wait until all are checked; it goes in any case."""
    if dry_run:
        yield None
        return
    folder = store.root / "partial"
    folder.mkdir(parents=True, exist_ok=True)
    with store.lock("import"):
        for left in folder.glob("import-*"):  # of an import that was killed
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix="import-", dir=folder) as stage:
            yield Path(stage)


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except Damaged as error:
        raise DigestMismatch(str(error), hint=_HINT) from None
    except NoBundle as error:
        raise UsageError(str(error), hint="name a bundle: FILE.tar, its first chunk, or a folder") from None
