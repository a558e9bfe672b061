"""Are the weights of two locks the same? Told by the bytes where both are here, by samples where one is still upstream.

A digest of a file says nothing of this: a new chat template changes it, and the weights stay. The digest of the tensors alone doesn't
depend on metadata, layout, or the cut of a split set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.core.digest import CHUNK, Digest
from pipeline.core.errors import NetworkError
from pipeline.core.http import persist
from pipeline.gguf.header import Header, Tensor, read_header
from pipeline.lock.model import LockedFile, Lockfile
from pipeline.lock.remote import read_remote_header
from pipeline.spec.sources._base import Remote, source_of

SAMPLES, SAMPLE_BYTES = 32, 16 << 10
Find = Callable[[LockedFile], Path | None]


@dataclass(frozen=True)
class Part:
    """One file of a model's weights: its header, and either where it lies on this machine or how to read it."""

    header: Header
    path: Path | None
    remote: Remote | None

    def sample(self, tensor: Tensor) -> bytes:
        """Return bytes from the middle of a tensor."""
        size = min(tensor.nbytes, SAMPLE_BYTES)
        start = tensor.offset + (tensor.nbytes - size) // 2
        if self.path:
            with self.path.open("rb") as file:
                file.seek(start)
                return file.read(size)
        remote = self.remote
        assert remote is not None

        def once() -> bytes:
            with remote.read(start, start + size) as stream:
                if stream.start != start:
                    raise NetworkError("the origin sends whole files only", hint="fetch both versions to compare them")
                return b"".join(stream.chunks)[:size]

        return persist(once)


@dataclass(frozen=True)
class Weights:
    """All parts of a model's weights."""

    parts: tuple[Part, ...]

    @property
    def here(self) -> bool:
        """Whether every byte is on this machine."""
        return all(part.path for part in self.parts)

    def tensors(self) -> dict[str, tuple[Part, Tensor]]:
        """Return all tensors by name."""
        return {tensor.name: (part, tensor) for part in self.parts for tensor in part.header.tensors}

    @property
    def template(self) -> str | None:
        """The chat template in the file."""
        text = self.parts[0].header.metadata.get("tokenizer.chat_template")
        return text if isinstance(text, str) else None


def weights_of(lock: Lockfile, find: Find, root: Path) -> Weights:
    """Open a lock's weights; ``find`` tells where a file lies in the store, if it does. Raises NetworkError, UsageError."""
    parts = []
    for file in lock.shards:
        if path := find(file):
            parts.append(Part(read_header(path), path, None))
        else:
            remote = source_of(file.urls[0]).open(file.urls[0], root=root)
            parts.append(Part(read_remote_header(remote, file.urls[0], file.size), None, remote))
    return Weights(tuple(parts))


def tensor_digest(weights: Weights) -> Digest:
    """Hash the tensors alone, by name: each one's name, type, shape and bytes. All of it must be on this machine."""
    hasher = hashlib.sha256()
    with ExitStack() as stack:
        files: dict[Path | None, BinaryIO] = {
            part.path: stack.enter_context(part.path.open("rb")) for part in weights.parts if part.path
        }
        for name, (part, tensor) in sorted(weights.tensors().items()):
            file, left = files[part.path], tensor.nbytes
            hasher.update(f"{name}\0{tensor.type}\0{tensor.shape}\0".encode())
            file.seek(tensor.offset)
            while left and (chunk := file.read(min(left, CHUNK))):
                hasher.update(chunk)
                left -= len(chunk)
    return Digest(hasher.hexdigest())


def compare(old: Weights, new: Weights) -> tuple[bool | None, str]:
    """Tell whether the weights are the same, and how that is known; None where nobody can tell yet. Raises NetworkError."""
    before, after = old.tensors(), new.tensors()
    described = [{name: (tensor.type, tensor.shape) for name, (_, tensor) in side.items()} for side in (before, after)]
    if described[0] != described[1]:
        return False, _table(*described)
    if old.here and new.here:
        digests = tensor_digest(old), tensor_digest(new)
        if digests[0] == digests[1]:
            return True, f"the tensors of both are {digests[0]}"
        return False, f"the tensors were {digests[0]}, and are {digests[1]}"
    names = sorted(before)
    picked = names[:: max(1, len(names) // SAMPLES)]
    for name in picked:
        if before[name][0].sample(before[name][1]) != after[name][0].sample(after[name][1]):
            return False, f"tensor {name} has other bytes"
    return None, f"samples of {len(picked)} of {len(names)} tensors are the same; fetch both to be certain"


def _table(old: dict[str, tuple[str, tuple[int, ...]]], new: dict[str, tuple[str, tuple[int, ...]]]) -> str:
    """Say how two lists of tensors differ."""
    both = old.keys() & new.keys()
    counts = {
        "of another type": sum(old[name][0] != new[name][0] for name in both),
        "of another shape": sum(old[name][1] != new[name][1] for name in both),
        "added": len(new.keys() - old.keys()),
        "removed": len(old.keys() - new.keys()),
    }
    return "tensors " + ", ".join(f"{count} {what}" for what, count in counts.items() if count)
