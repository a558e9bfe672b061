"""A registry of Ollama on loopback, with its storage on another origin, and a maker of local stores.

As the real one: manifests as text/plain without a digest in the headers, blobs by a 307, push times for HEAD alone, nothing by digest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.digest import Digest
from tests.hubs.watched import Watched, watched

Layers = Sequence[tuple[str, bytes]]
CONFIG = b'{"model_format": "gguf", "model_family": "llama", "file_type": "Q8_0"}'


def manifest(layers: Layers, config: bytes = CONFIG) -> bytes:
    """Return a manifest; kinds of layers are those of ``application/vnd.ollama.image.``."""

    def descriptor(media_type: str, content: bytes) -> dict[str, Any]:
        return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)}

    listed = [descriptor(f"application/vnd.ollama.image.{kind}", content) for kind, content in layers]
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": descriptor("application/vnd.docker.container.image.v1+json", config),
            "layers": listed,
        }
    ).encode()


@dataclass(frozen=True)
class Hub:
    """A registry and where its blobs are."""

    registry: Watched
    storage: Watched

    @property
    def host(self) -> str:
        return self.registry.host

    def publish(self, name: str, layers: Layers, tag: str = "latest", pushed: int | None = None) -> str:
        """Publish a model (``namespace/model``); returns the digest of its manifest."""
        body = manifest(layers)
        path = f"/v2/{name}/manifests/{tag}"
        self.registry.put(path, body, headers={"Content-Type": "text/plain; charset=utf-8"})
        digest = Digest.of(body)
        when = {"ollama-push-time": str(pushed)} if pushed is not None else {}
        self.registry.heads[path] = {"ollama-content-digest": digest.hex, **when}
        for content in (CONFIG, *(content for _, content in layers)):
            self.blob(name, content)
        return str(digest)

    def blob(self, name: str, content: bytes, instead: bytes | None = None) -> None:
        """Put a blob, or something else in its place."""
        digest = str(Digest.of(content))
        at = self.storage.put(f"/data/{digest}?signed=yes", content if instead is None else instead)
        self.registry.put(f"/v2/{name}/blobs/{digest}", status=307, headers={"Location": at})


@contextmanager
def ollama() -> Iterator[Hub]:
    """Run a registry of Ollama for as long as the block lasts."""
    with watched() as registry, watched() as storage:
        yield Hub(registry, storage)


def make_store(folder: Path, place: str, layers: Layers) -> str:
    """Add a model (``host/namespace/model/tag``) to a local store, as Ollama lays it out; returns the digest of its manifest."""
    body = manifest(layers)
    path = folder / "manifests" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    (folder / "blobs").mkdir(exist_ok=True)
    for content in (CONFIG, *(content for _, content in layers)):
        blob_file(folder, content).write_bytes(content)
    return str(Digest.of(body))


def blob_file(folder: Path, content: bytes) -> Path:
    """Return where a local store has a blob."""
    return folder / "blobs" / f"sha256-{Digest.of(content).hex}"
