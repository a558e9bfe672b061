"""Locked models of every sort, made of the small project's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.airgap.layout import Blob, Layer, Packed
from pipeline.core.project import Project
from pipeline.lock.model import LockedFile, LockedLicense, LockedSource
from tests.airgap.bundles import packed

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def model_of(project: Project, resolved: str = "", license_id: str | None = "apache-2.0", **texts: str) -> Packed:
    """Return the small model as if it came from ``resolved``, with further text files by role."""
    model = packed(project)
    layers, files = [*model.layers], [*model.lock.files]
    if resolved:
        files[0] = files[0].model_copy(update={"urls": (resolved,)})
    for role, text in texts.items():
        blob = Blob.of(text.encode())
        raw: dict[str, Any] = {"role": role, "path": f"{role}.txt", "size": blob.size, "sha256": str(blob.digest)}
        files.append(LockedFile.model_validate({**raw, "urls": ["file:x"], "known": "computed"}))
        layers.append(Layer(role, f"{role}.txt", "text/plain", blob))
    source = LockedSource(original=resolved or "file:x", resolved=resolved or "file:x")
    update: dict[str, Any] = {"files": tuple(files), "license": LockedLicense(id=license_id, declared_in=None)}
    lock = model.lock.model_copy(update={**update, **({"source": source} if resolved else {})})
    return Packed(lock, tuple(layers))


def named(model: Packed, path: str) -> Packed:
    """Return the model with another name of its weights."""
    files = (model.lock.weights.model_copy(update={"path": path}), *model.lock.files[1:])
    return Packed(model.lock.model_copy(update={"files": files}), model.layers)


def place(model: Packed, folder: Path) -> None:
    """Put the model's files into a folder, by their names."""
    for file in model.lock.files:
        blob = next(layer.blob for layer in model.layers if layer.blob.digest == file.digest)
        (folder / file.path).write_bytes(b"".join(blob.pieces()))
