"""What the process that keeps a local deployment up says of itself, for other processes: a small file that is replaced whole."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from pipeline.core.files import atomic_write


@dataclass(frozen=True)
class Alive:
    """A process, so that another one under the same number is not taken for it: number, and when it was started, by boot and ticks."""

    pid: int
    started: str

    def running(self) -> bool:
        """Tell whether it runs now."""
        return bool(self.started) and start_of(self.pid) == self.started


@dataclass(frozen=True)
class State:
    """``phase`` is starting, running, waiting (for the next start after a crash), switching (requests wait while the engine is
    replaced), stopped, failed or out of service. ``entry`` is the digest of the log's line that it serves, ``coming`` of one that it is
    about to serve instead; ``engine`` the engine's process; ``restarts`` counts starts after crashes; ``since`` is when it last answered,
    ISO 8601; ``version`` is that of the Assay that wrote it.
    """

    entry: str
    phase: str
    keeper: Alive
    engine: Alive | None = None
    url: str = ""
    key_file: str = ""
    log: str = ""
    models: tuple[str, ...] = ()
    since: str = ""
    restarts: int = 0
    reason: str = ""
    coming: str = ""
    version: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.phase in ("stopped", "failed", "out of service")

    def now(self, phase: str, **changes: object) -> State:
        """Return the state after a change."""
        return replace(self, phase=phase, **changes)  # type: ignore[arg-type]


def folder_of(state: Path, name: str) -> Path:
    """Return the folder of a local deployment; ``state`` is the project's ``.assay``."""
    return state / "deployments" / name


def write_state(folder: Path, state: State) -> None:
    """Replace what is said."""
    atomic_write(folder / "state.json", json.dumps(asdict(state)))


def read_state(folder: Path) -> State | None:
    """Return what was said last; None where nothing was, or it can't be read."""
    try:
        content = json.loads((folder / "state.json").read_bytes())
        engine = Alive(**content.pop("engine")) if content.get("engine") else None
        keeper, models = Alive(**content.pop("keeper")), tuple(content.pop("models"))
        return State(**{**content, "engine": engine, "keeper": keeper, "models": models})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def start_of(pid: int) -> str:
    """Return when a process was started, in the kernel's own terms; empty when it doesn't run."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if state in "ZX" else f"{_boot()}:{rest[18]}"
    except (OSError, ValueError, IndexError):
        return _without_proc(pid)


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _without_proc(pid: int) -> str:
    if Path("/proc/self/stat").exists():
        return ""
    try:
        os.kill(pid, 0)
    except OSError:
        return ""
    return "unknown"


def this() -> Alive:
    """Return this process."""
    return Alive(os.getpid(), start_of(os.getpid()))
