"""Mirror: models into a folder that is an OCI image layout, each time only what is new."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.airgap.carried import Damaged, Folder
from pipeline.airgap.described import REF
from pipeline.airgap.layout import Blob, Packed, layout
from pipeline.core.canonical import read_json
from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, UsageError
from pipeline.core.files import atomic_write, fsync_folder, locked
from pipeline.core.progress import SILENT, Progress, Task


@dataclass(frozen=True)
class Mirrored:
    """What a mirror got: new blobs and their bytes. ``models`` are all that it has now, by name."""

    blobs: int
    size: int
    models: tuple[str, ...]


def mirror(models: Sequence[Packed], folder: Path, progress: Progress = SILENT) -> Mirrored:
    """Bring models into ``folder``, beside those that are there; one of the same name is replaced. Blobs of the store are linked
    where they can be, else copied, and hashed in any case. The index is written last.

    Raises DigestMismatch for a blob that is missing or damaged, UsageError for a folder that is something else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock"):
        names = {model.lock.name for model in models}
        others = [entry for entry in _entries(folder) if entry["annotations"][REF] not in names]
        files = layout(models, others)
        new: list[Blob] = []
        (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        with progress.task(f"mirror {folder}", sum(blob.size for _, blob in files), "B") as task:
            for name, blob in files:
                if name.startswith("blobs/") and _put(blob, folder / name, folder, task):
                    new.append(blob)
        fsync_folder(folder / "blobs" / "sha256")
        described = {name: blob for name, blob in files if not name.startswith("blobs/")}
        for name in sorted(described, key=lambda name: name == "index.json"):
            atomic_write(folder / name, b"".join(described[name].pieces()))
    return Mirrored(
        len(new), sum(blob.size for blob in new), tuple(sorted(names | {e["annotations"][REF] for e in others}))
    )


def _entries(folder: Path) -> list[dict[str, Any]]:
    """Return what the index of the folder names. Raises UsageError for a folder that is no mirror."""
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if not names:
        return []
    hint = "name an empty folder, or a mirror"
    try:
        there = Folder(folder)
        if names <= {"blobs", "oci-layout", "README.txt", "verify.py"}:  # the first mirroring was interrupted
            return []
        entries: list[dict[str, Any]] = read_json(there.read("index.json"))["manifests"]
        if "oci-layout" in names and all(isinstance(entry["annotations"][REF], str) for entry in entries):
            return entries
    except (Damaged, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder} is no mirror: {error}", hint=hint) from None
    raise UsageError(f"{folder} is no mirror, and it is not empty", hint=hint)


def _put(blob: Blob, target: Path, folder: Path, task: Task) -> bool:
    """Bring a blob under its name unless it is there; tells whether it had to be brought."""
    source = blob.content if isinstance(blob.content, Path) else None
    if target.is_file() and target.stat().st_size == blob.size:
        if source and source.is_file() and source.samefile(target):
            task.advance(blob.size)
            return False
        if Digest.of_file(target) == blob.digest:
            task.advance(blob.size)
            return False
    target.unlink(missing_ok=True)
    temporary = folder / f".{blob.digest.short}.{secrets.token_hex(4)}"
    try:
        if not (source and _link(source, temporary)):
            with temporary.open("xb") as file:
                for piece in blob.pieces():
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o444)
        if Digest.of_file(temporary, task.advance) != blob.digest:
            raise DigestMismatch(f"{source or target}: not the bytes of {blob.digest}", hint="run assay verify --deep")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _link(source: Path, target: Path) -> bool:
    """Link a blob of the store, which nobody writes to; False where that can't be, and for a file that somebody may change."""
    with suppress(OSError):
        if not source.stat().st_mode & 0o222 and not source.is_symlink():
            os.link(source, target)
            return True
    return False
