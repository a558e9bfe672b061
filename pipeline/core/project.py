"""Where things lie in a project: a folder with ``specs/`` in it."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import UsageError


@dataclass(frozen=True)
class Project:
    """The root of a project and the places below it. Everything that can be made again lies in ``.assay``."""

    root: Path

    @property
    def specs(self) -> Path:
        return self.root / "specs"

    @property
    def suites(self) -> Path:
        return self.root / "evals"

    @property
    def lockfiles(self) -> Path:
        return self.root / "lockfiles"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def attestations(self) -> Path:
        """Signed statements, a folder for each model."""
        return self.root / "attestations"

    @property
    def state(self) -> Path:
        return self.root / ".assay"

    def hide(self) -> None:
        """Keep what is made again, keys of servers among it, out of every repository, once it is there. Does nothing where the project
        can't be written.
        """
        with suppress(OSError):
            if self.state.is_dir() and not (ignored := self.state / ".gitignore").exists():
                ignored.write_text("*\n")

    @property
    def store(self) -> Path:
        """The blob store: ``$ASSAY_STORE`` (a relative path counts from the root), or ``.assay/store``."""
        named = os.environ.get("ASSAY_STORE")
        return self.root / Path(named).expanduser() if named else self.state / "store"

    @property
    def scores(self) -> Path:
        """Where log-likelihoods and answers are kept, so that an eval that was stopped goes on."""
        return self.state / "scores.sqlite"

    @property
    def database(self) -> Path:
        return self.state / "results.duckdb"

    @classmethod
    def find(cls, start: Path) -> Project:
        """Return the project that ``start`` lies in. Raises UsageError where there is none."""
        for folder in (start.resolve(), *start.resolve().parents):
            if (folder / "specs").is_dir():
                return cls(folder)
        raise UsageError(
            f"no project here: no folder specs/ in {start.resolve()} or above",
            hint="cd into a project, or make one: assay init NAME --source …",
        )
