"""An OCI image layout in a folder, with lock, spec and suites: what ``assay bundle`` packs into one file."""

from __future__ import annotations

from pathlib import Path

from pipeline.airgap.layout import Packed
from pipeline.airgap.mirror import mirror
from pipeline.core.errors import UsageError
from pipeline.core.progress import Progress

FOLDER = True


def write(model: Packed, folder: Path, progress: Progress) -> None:
    """Write the layout."""
    if folder.exists() and (not folder.is_dir() or next(folder.iterdir(), None)):
        raise UsageError(f"{folder} is not empty", hint="name a new folder, or use assay mirror")
    mirror([model], folder, progress)
