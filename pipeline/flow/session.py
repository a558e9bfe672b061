"""One invocation of Assay: the project, the store, the engine and the hardware, each looked up when it is first
needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pipeline.core.errors import UsageError
from pipeline.core.host import Hardware, hardware
from pipeline.core.progress import SILENT, Progress
from pipeline.core.project import Project
from pipeline.gguf.header import Header, read_header
from pipeline.lock.load import require_current
from pipeline.lock.model import Lockfile
from pipeline.runtime.build import EngineBuild, find_engine, require_pinned
from pipeline.spec.load import find_spec, read_spec, spec_files
from pipeline.spec.policy import Policy, read_policy
from pipeline.store.layout import Store
from pipeline.store.views import view

if TYPE_CHECKING:
    from pipeline.record.write import Recorder


@dataclass(frozen=True)
class Stored:
    """A locked model whose files are in the store."""

    lock: Lockfile
    weights: Path
    template: Path | None
    mmproj: Path | None = None

    def headers(self) -> tuple[Header, ...]:
        """Return the headers of the weights' files, in order."""
        if len(self.lock.shards) == 1:
            return (read_header(self.weights),)
        return tuple(read_header(self.weights.with_name(PurePosixPath(part.path).name)) for part in self.lock.shards)


@dataclass
class Session:
    """What commands share. ``engine_path`` is a ``llama-server`` named by the user, used instead of the packaged one;
    with ``any_commit`` it may be of another commit than the locks pin.
    """

    project: Project
    progress: Progress = SILENT
    engine_path: Path | None = None
    offline: bool = False
    any_commit: bool = False
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.project.store)
        self.project.hide()

    @cached_property
    def recorder(self) -> Recorder:
        """The one writer of the record."""
        from pipeline.record.write import Recorder  # DuckDB, which many commands never need

        return Recorder(self.project.database)

    @cached_property
    def engine(self) -> EngineBuild:
        """The engine. Raises EngineError."""
        return find_engine(self.engine_path)

    @cached_property
    def hardware(self) -> Hardware:
        """This machine."""
        return hardware()

    @cached_property
    def policy(self) -> Policy:
        """The catalog's policy. Raises SpecError."""
        return read_policy(self.project)

    def threads(self, lock: Lockfile) -> int:
        """Return how many threads the engine gets: as the spec says, or one for each physical core."""
        return lock.spec.engine.threads or self.hardware.physical_cores

    def current(self, name: str) -> Lockfile:
        """Return the lock of a spec, checked against it. Raises SpecError, UsageError, LockOutOfDate."""
        return require_current(self.project, read_spec(find_spec(self.project, name)))

    def names(self, named: tuple[str, ...]) -> list[str]:
        """Return the names given, each once, or those of the whole catalog. Raises UsageError when it is empty."""
        names = list(dict.fromkeys(named)) or [path.stem for path in spec_files(self.project)]
        if not names:
            raise UsageError(f"no specs in {self.project.specs}", hint="make one: assay init NAME --source …")
        return names

    def stored(self, lock: Lockfile) -> Stored:
        """Return where the lock's files lie; they must have been fetched."""
        template = self.store.path(lock.template.digest) if lock.template else None
        mmproj = self.store.path(lock.mmproj.digest) if lock.mmproj else None
        if len(lock.shards) == 1:
            return Stored(lock, self.store.path(lock.weights.digest), template, mmproj)
        folder = view(self.store, lock.shards)  # llama.cpp finds the parts of a set by name
        return Stored(lock, folder / PurePosixPath(lock.weights.path).name, template, mmproj)

    def require_engine(self, lock: Lockfile) -> EngineBuild:
        """Return the engine if it is of the commit that the lock pins, or any may be. Raises EngineError."""
        if not self.any_commit:
            require_pinned(self.engine, lock.engine)
        return self.engine
