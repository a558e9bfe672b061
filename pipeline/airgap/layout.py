"""An OCI image layout: which files it has and what they say. The same models give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.airgap.carried import BLOBS
from pipeline.airgap.described import LOCK_TYPE, MODEL_TYPE, REF, ROLE, TITLE
from pipeline.airgap.script import README, script
from pipeline.core.canonical import canonical_bytes
from pipeline.core.digest import CHUNK, Digest
from pipeline.core.errors import DigestMismatch
from pipeline.lock.model import Lockfile

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Blob:
    """Bytes under their digest: in memory, or in a file that is hashed again when it is read."""

    digest: Digest
    size: int
    content: bytes | Path

    @classmethod
    def of(cls, content: bytes) -> Blob:
        """Return small bytes as a blob."""
        return cls(Digest.of(content), len(content), content)

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes. Raises DigestMismatch where the file isn't there."""
        if isinstance(self.content, bytes):
            yield self.content
            return
        try:
            with self.content.open("rb", buffering=0) as file:
                while piece := file.read(CHUNK):
                    yield piece
        except FileNotFoundError:
            said = f"{self.content} is missing: {self.digest} is not in the store"
            raise DigestMismatch(said, hint="run assay fetch") from None


@dataclass(frozen=True)
class Layer:
    """One file of a model: what it is for, its name or its path in a project, its bytes."""

    role: str
    title: str
    media_type: str
    blob: Blob
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Packed:
    """A model with all that belongs to it."""

    lock: Lockfile
    layers: tuple[Layer, ...]


def descriptor(media_type: str, blob: Blob, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    """Return how OCI points at a blob."""
    found: dict[str, Any] = {"mediaType": media_type, "digest": str(blob.digest), "size": blob.size}
    return {**found, "annotations": annotations} if annotations else found


def manifest(model: Packed) -> tuple[Blob, Blob]:
    """Return a model's manifest and its config, which is the lock: its digest is the lock's."""
    config = Blob.of(canonical_bytes(model.lock.content()))
    license = model.lock.license.id
    content = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": MODEL_TYPE,
        "config": descriptor(LOCK_TYPE, config),
        "layers": [
            descriptor(layer.media_type, layer.blob, {ROLE: layer.role, TITLE: layer.title, **layer.annotations})
            for layer in model.layers
        ],
        "annotations": {TITLE: model.lock.name, **({"org.opencontainers.image.licenses": license} if license else {})},
    }
    return Blob.of(canonical_bytes(content)), config


def layout(models: Sequence[Packed], others: Sequence[dict[str, Any]] = ()) -> list[tuple[str, Blob]]:
    """Return the files of a layout by name, those that describe it first, the largest last. ``others`` are further entries of the index."""
    entries = list(others)
    described: list[Blob] = []
    small: list[Blob] = []
    large: list[Blob] = []
    for model in sorted(models, key=lambda model: model.lock.name):
        made, config = manifest(model)
        name = model.lock.name
        entries.append({**descriptor(MANIFEST_TYPE, made, {REF: name}), "artifactType": MODEL_TYPE})
        described += [made, config]
        for layer in model.layers:
            (small if layer.role in ("spec", "suite", "results", "attestation") else large).append(layer.blob)
    entries.sort(key=lambda entry: str(entry["annotations"][REF]))
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries}
    blobs = {blob.digest: blob for blob in [*described, *small, *large]}
    return [
        ("oci-layout", Blob.of(canonical_bytes({"imageLayoutVersion": "1.0.0"}))),
        ("index.json", Blob.of(canonical_bytes(index))),
        ("README.txt", Blob.of(README)),
        ("verify.py", Blob.of(script())),
        *((BLOBS + digest.hex, blob) for digest, blob in blobs.items()),
    ]
