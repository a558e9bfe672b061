"""What lies on the loopback Hugging Face hub: repositories, their history, their files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.core.digest import Digest

FIRST_DAY = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Upload:
    """A file as it was uploaded: bytes, or a path of this machine for large ones. ``sha256`` and ``size`` are what the hub says
    of it, where it shall lie; a file without ``lfs`` has no published sha256.
    """

    content: bytes | Path
    lfs: bool = True
    sha256: str = ""
    size: int = -1

    @property
    def real_size(self) -> int:
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the hub publishes: ``size``, ``oid`` and, for LFS, ``lfs`` with its ``sha256``."""
        size = self.real_size if self.size < 0 else self.size
        if not self.lfs:
            body = self.content.read_bytes() if isinstance(self.content, Path) else self.content
            return {"size": size, "oid": hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest(), "lfs": None}
        of = Digest.of_file(self.content) if isinstance(self.content, Path) else Digest.of(self.content)
        sha256 = self.sha256 or of.hex
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        oid = hashlib.sha1(b"blob %d\0" % len(pointer) + pointer).hexdigest()
        return {"size": size, "oid": oid, "lfs": {"sha256": sha256, "size": size, "pointerSize": len(pointer)}}


Files = Mapping[str, bytes | Path | Upload]


@dataclass(frozen=True, eq=False)
class Commit:
    """One commit: its id, its time, all files of it."""

    id: str
    date: datetime
    title: str
    files: dict[str, Upload]


@dataclass
class Repo:
    """A repository. ``readers`` are the tokens that may read it, where it is private or gated."""

    name: str
    card: dict[str, Any] | None = None
    private: bool = False
    gated: str | bool = False
    disabled: bool = False
    readers: set[str] = field(default_factory=set)
    commits: dict[str, Commit] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Files, *, branch: str = "main", date: datetime | None = None, keep: bool = True) -> str:
        """Add a commit to a branch (a new one begins at ``main``'s); returns its id. ``keep`` keeps the files of the one before."""
        parent = self.branches.get(branch) or self.branches.get("main")
        before = self.commits[parent] if parent else None
        uploads = {path: one if isinstance(one, Upload) else Upload(one) for path, one in files.items()}
        id = hashlib.sha1(f"{self.name} {branch} {len(self.commits)}".encode()).hexdigest()
        when = date or (before.date + timedelta(days=1) if before else FIRST_DAY)
        whole = {**(before.files if before and keep else {}), **uploads}
        self.commits[id] = Commit(id, when, f"Commit {len(self.commits)}", whole)
        self.parents[id] = parent
        self.branches[branch] = id
        return id

    def at(self, rev: str) -> Commit | None:
        """Return the commit that a revision is now."""
        return self.commits.get(self.branches.get(rev) or self.tags.get(rev) or rev)

    def history(self, commit: Commit) -> list[Commit]:
        """Return a commit and all before it, the newest first."""
        found, at = [commit], self.parents[commit.id]
        while at:
            found.append(self.commits[at])
            at = self.parents[at]
        return found
