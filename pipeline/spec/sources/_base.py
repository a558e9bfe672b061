"""What a source is: a module of this folder that turns a reference into pinned files, and a URL of its own into bytes.

``resolve`` asks the origin once; what it answers goes into the lock. ``open`` is for what a lock names: it never asks which file is
meant, so an origin that moved on changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.core.kinds import discover

Role = Literal[
    "weights",
    "shard",
    "mmproj",
    "lora",
    "chat_template",
    "template",
    "system",
    "params",
    "license",
    "messages",
    "config",
]
"""``weights`` is the GGUF file, or the first of a split set, ``shard`` each further one; ``template``, ``system``, ``params``, ``messages``
and ``config`` are what an Ollama or OCI model carries beside it, kept as evidence."""


@dataclass(frozen=True)
class Blob:
    """One file at its origin. ``digest`` is None where the origin publishes none; ``url`` is what ``open`` of the same source takes."""

    path: str
    url: str
    size: int
    digest: Digest | None
    role: Role = "weights"


@dataclass(frozen=True)
class Resolved:
    """What a reference was at this moment.

    ``reference`` can't move and has the origin's own spelling of all names, so a rename shows in it. ``blobs`` are the weights, their
    further shards in order, then what else belongs to them. ``rule`` says in words how they were picked, where there was a choice.
    ``license`` is what the origin declares (lower case SPDX, as far as it uses SPDX), ``license_from`` where (for instance
    ``hf:cardData.license``). ``published`` is when this version appeared, where the origin says so.
    """

    reference: str
    blobs: tuple[Blob, ...]
    rule: str = ""
    license: str | None = None
    license_from: str = ""
    gated: bool = False
    published: datetime | None = None

    @property
    def appeared(self) -> str | None:
        """When this version appeared, as locks have it."""
        return self.published.strftime("%Y-%m-%dT%H:%M:%SZ") if self.published else None

    @property
    def blob(self) -> Blob:
        """The weights, or the first file of a split set."""
        return self.blobs[0]


@dataclass
class Stream:
    """Bytes from ``start`` on (0 when the origin can't resume). ``size`` is that of the whole file, None where unknown."""

    start: int
    size: int | None
    chunks: Iterator[bytes]


class Remote(Protocol):
    """One file at its origin, open for reading from several threads at once. ``parallel`` is how many ranges at a time may be of use."""

    parallel: int

    def read(self, start: int = 0, end: int | None = None) -> AbstractContextManager[Stream]:
        """Read from byte ``start`` to ``end`` (exclusive). Raises UsageError or NetworkError; an error is ``transient`` when trying
        again may help.
        """


class Source(Protocol):
    """The interface of a source module. ``EXAMPLE`` is a reference as a user writes it in a spec; ``LOCAL`` is whether it never
    leaves this machine, so that a lock looks at it every time.
    """

    SCHEMES: tuple[str, ...]
    EXAMPLE: str
    LOCAL: bool

    def check(self, reference: str) -> None:
        """Raise UsageError, which says what to write instead, for a reference that can't be right. Looks at nothing else."""

    def resolve(self, reference: str, *, folder: Path, root: Path, before: datetime | None = None) -> Resolved:
        """Pin ``reference``, written in a spec that lies in ``folder`` of the project at ``root``: as it was at ``before``, where the
        origin knows its history, else refuse what is newer. Raises UsageError or NetworkError.
        """

    def open(self, url: str, *, root: Path) -> Remote:
        """Return the file at ``url``, which a lock of the project at ``root`` names. Raises UsageError or NetworkError."""


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


def too_new(reference: str, published: datetime | None, before: datetime | None) -> None:
    """Raise UsageError when what a reference names now appeared after ``before``, or when nobody says when it appeared."""
    if before is None or (published is not None and published <= before):
        return
    when = f"appeared {published:%Y-%m-%d %H:%M} UTC" if published else "has no date that its origin tells"
    raise UsageError(
        f"{reference} {when}, and exclude_newer is {before:%Y-%m-%d %H:%M} UTC", hint="pin an older one by name"
    )
