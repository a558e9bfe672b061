"""Blobs and what locks say of them."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.digest import Digest
from pipeline.lock.model import LockedFile
from pipeline.store.hashing import Hasher
from pipeline.store.layout import Store


def locked(content: bytes, *urls: str, path: str = "m.gguf") -> LockedFile:
    """Return what a lock says of a file."""
    digest = str(Digest.of(content))
    return LockedFile(
        role="weights", path=path, size=len(content), sha256=digest, urls=urls or ("file:m",), known="spec"
    )


def publish(store: Store, content: bytes) -> Path:
    """Put a blob into the store, as a fetch does."""
    digest = Digest.of(content)
    partial = store.partial(digest)
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(content)
    return store.publish(partial, digest, Hasher().read(partial).leaves)
