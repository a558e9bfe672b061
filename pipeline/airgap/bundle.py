"""Bundle: a layout as a tar, in one pass, every blob hashed as it is written."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.airgap.carried import BLOCK
from pipeline.airgap.chunks import Chunks
from pipeline.airgap.layout import Blob, Packed, layout
from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, UsageError
from pipeline.core.progress import SILENT, Progress, Task

_END = bytes(2 * BLOCK)


@dataclass(frozen=True)
class Bundled:
    """A bundle that was written: its files (the sums last), its size in bytes, its digest as one file."""

    paths: tuple[Path, ...]
    size: int
    digest: Digest


def write_bundle(
    models: Sequence[Packed], out: Path, *, chunk: int | None = None, force: bool = False, progress: Progress = SILENT
) -> Bundled:
    """Write ``out``, or ``out.001`` and on, and ``out.sums``. They appear when all of it is written, and nothing is left otherwise.

    Raises DigestMismatch for a blob that is missing or not what the lock names, UsageError when something is in the way or the
    disk is full.
    """
    if not out.parent.is_dir():
        raise UsageError(f"no such folder: {out.parent}", hint="make it first")
    files = layout(models)
    total = sum(BLOCK + blob.size + -blob.size % BLOCK for _, blob in files) + len(_END)
    if (free := shutil.disk_usage(out.parent).free) < total:
        raise UsageError(f"{out.parent}: {free} bytes are free, the bundle has {total}", hint="make room")
    with Chunks(out, chunk, force=force) as chunks, progress.task(f"bundle {out.name}", total, "B") as task:
        for name, blob in files:
            chunks.write(_header(name, blob.size))
            _copy(blob, chunks, task)
            chunks.write(bytes(-blob.size % BLOCK))
        chunks.write(_END)
    return Bundled(tuple(chunks.paths), chunks.size, chunks.digest)


def _header(name: str, size: int) -> bytes:
    """Return a tar header without owner or time. Sizes over 8 GiB are binary, as GNU tar has them."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member.tobuf(tarfile.GNU_FORMAT)


def _copy(blob: Blob, chunks: Chunks, task: Task) -> None:
    """Write a blob. Raises DigestMismatch when its bytes are not what they were."""
    hasher, size = hashlib.sha256(), 0
    for piece in blob.pieces():
        size += len(piece)
        if size > blob.size:
            break
        hasher.update(piece)
        chunks.write(piece)
        task.advance(len(piece))
    if size != blob.size or hasher.hexdigest() != blob.digest.hex:
        said = f"{blob.content}: not the bytes of {blob.digest}" if isinstance(blob.content, Path) else str(blob.digest)
        raise DigestMismatch(said, hint="run assay verify --deep, then assay fetch")
