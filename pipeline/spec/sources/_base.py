"""What a source is: a module of this folder that turns a reference into pinned files, and a URL of its own into bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.core.kinds import discover


@dataclass(frozen=True)
class Blob:
    """One file at its origin. ``digest`` is None where the origin publishes none; ``url`` is what ``read`` of the same source takes."""

    path: str
    url: str
    size: int
    digest: Digest | None


@dataclass(frozen=True)
class Resolved:
    """What a reference was at this moment: a reference that can't move, and the file it names."""

    reference: str
    blob: Blob


@dataclass
class Stream:
    """Bytes from ``start`` on (0 when the origin can't resume). ``size`` is that of the whole file, None where unknown."""

    start: int
    size: int | None
    chunks: Iterator[bytes]


class Source(Protocol):
    """The interface of a source module. ``EXAMPLE`` is a reference as a user writes it in a spec."""

    SCHEMES: tuple[str, ...]
    EXAMPLE: str

    def check(self, reference: str) -> None:
        """Raise UsageError, which says what to write instead, for a reference that can't be right. Looks at nothing else."""

    def resolve(self, reference: str, *, folder: Path, root: Path) -> Resolved:
        """Pin ``reference``, written in a spec that lies in ``folder`` of the project at ``root``. Raises UsageError or NetworkError."""

    def read(self, url: str, *, root: Path, start: int = 0, end: int | None = None) -> AbstractContextManager[Stream]:
        """Open ``url`` from byte ``start`` to ``end`` (exclusive). Raises UsageError or NetworkError."""


def source_of(reference: str) -> Source:
    """Return the source for a reference's scheme. Raises UsageError that says what to write."""
    sources = discover("pipeline.spec.sources")
    scheme, colon, _ = reference.partition(":")
    for module in sources.values():
        if colon and scheme in module.SCHEMES:
            source: Source = module
            return source
    if not colon:
        raise UsageError(f"{reference!r} has no scheme", hint=f"for a file, write file:{reference}")
    examples = "; ".join(module.EXAMPLE for module in sources.values())
    raise UsageError(f"no source knows the scheme of {reference!r}", hint=f"write for instance {examples}")
