"""Resolve: ask the sources what a spec's references are at this moment. The only step of locking that reads files or the network.

What a lock holds already is kept: what is upstream now makes no lock stale. Only files of this machine are looked at each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.core.canonical import tree_digest
from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, LockOutOfDate, UsageError, did_you_mean
from pipeline.core.names import fault_of
from pipeline.core.progress import SILENT, Progress
from pipeline.core.project import Project
from pipeline.gguf.facts import facts_of
from pipeline.gguf.header import Header
from pipeline.lock.load import read_lock
from pipeline.lock.model import LockedFile, LockedReference, LockedSource, LockedSuite, Lockfile
from pipeline.lock.remote import read_remote_header
from pipeline.spec.load import read_model
from pipeline.spec.model import Spec
from pipeline.spec.sources._base import Blob, Resolved, source_of
from pipeline.spec.suite import SuiteHead, plugins_of

Learn = Callable[[str, int], Digest]


@dataclass(frozen=True)
class Resolution:
    """All that a lock needs to know beside its spec. ``gguf`` are the facts of the weights."""

    source: LockedSource
    files: tuple[LockedFile, ...]
    gguf: dict[str, Any]
    suites: dict[str, LockedSuite]
    reference: LockedReference | None = None


@dataclass(frozen=True)
class Resolver:
    """Resolves the specs of a project. ``learn`` brings a file of unknown digest into the store and returns its digest; ``now`` is
    what a span of days in ``exclude_newer`` counts from. ``read`` collects the headers of weights that were read on the way.
    """

    project: Project
    learn: Learn
    progress: Progress = SILENT
    now: datetime | None = None
    read: list[Header] = field(default_factory=list)

    def resolve(self, spec: Spec, spec_path: Path, before: Lockfile | None = None) -> Resolution:
        """Resolve a spec; what ``before``, its present lock, pins already is not asked again.

        Raises UsageError, NetworkError, or DigestMismatch when the origin contradicts the spec.
        """
        folder = spec_path.parent
        projector = self._kept_projector(spec, before)
        # Asked before the weights: what isn't there is told before a download.
        asked = self.ask(spec.mmproj, spec, folder).blob if spec.mmproj and not projector else None
        source, files, gguf = self._kept(spec, before) or self._asked(spec, folder)
        if asked:
            projector = self._pin(replace(asked, role="mmproj"), spec, 1)
        files = (*files, projector) if projector else files
        if spec.chat.template:
            files = (*files, *self._local(f"file:{spec.chat.template}", folder, "chat_template"))
        suites = {name: _suite(self.project, name) for name in sorted({*spec.checks, *spec.evals})}
        return Resolution(source, files, gguf, suites, reference_of(self.project, spec))

    def ask(self, reference: str, spec: Spec, folder: Path) -> Resolved:
        """Return what ``reference`` of a spec in ``folder`` is now at its origin."""
        before = cutoff(spec.exclude_newer, self.now or datetime.now(UTC))
        return _named(source_of(reference).resolve(reference, folder=folder, root=self.project.root, before=before))

    def _kept(
        self, spec: Spec, before: Lockfile | None
    ) -> tuple[LockedSource, tuple[LockedFile, ...], dict[str, Any]] | None:
        """Return what the lock holds of the same source; None where it is another, or of this machine."""
        if before is None or source_of(spec.source).LOCAL or before.source.original != spec.source:
            return None
        if spec.sha256 not in (None, before.weights.sha256):
            return None
        files = tuple(
            file.model_copy(update={"urls": (file.urls[0], *_mirrors(spec, file.path, len(before.shards)))})
            if file in before.shards
            else file
            for file in apart(before)[0]
        )
        return before.source, files, before.gguf

    def _kept_projector(self, spec: Spec, before: Lockfile | None) -> LockedFile | None:
        """Return what the lock holds of the same ``mmproj``; None where it is another, or of this machine."""
        if before is None or not spec.mmproj or source_of(spec.mmproj).LOCAL or before.spec.mmproj != spec.mmproj:
            return None
        return apart(before)[1]

    def _asked(self, spec: Spec, folder: Path) -> tuple[LockedSource, tuple[LockedFile, ...], dict[str, Any]]:
        resolved = self.ask(spec.source, spec, folder)
        shards = tuple(blob for blob in resolved.blobs if blob.role in ("weights", "shard"))
        if spec.sha256 and len(shards) > 1:
            said = f"{spec.source} is a split set of {len(shards)} files; sha256: can name but one"
            raise UsageError(said, hint="leave sha256: out; each file's digest goes into the lock")
        source = source_of(spec.source)
        headers = [
            read_remote_header(source.open(blob.url, root=self.project.root), blob.url, blob.size) for blob in shards
        ]
        self.read[:] = headers
        gguf = facts_of(*headers).summary()  # a malformed file is told before anything is downloaded
        return _source(spec, resolved), tuple(self._pin(blob, spec, len(shards)) for blob in resolved.blobs), gguf

    def _local(self, reference: str, folder: Path, role: str) -> tuple[LockedFile, ...]:
        blob = _named(source_of(reference).resolve(reference, folder=folder, root=self.project.root)).blob
        return (_locked(blob, role, self.learn(blob.url, blob.size), "computed", ()),)

    def _pin(self, blob: Blob, spec: Spec, shards: int) -> LockedFile:
        stated = Digest.parse(spec.sha256) if spec.sha256 and blob.role == "weights" else None
        if stated and blob.digest and stated != blob.digest:
            raise DigestMismatch(
                f"{spec.source}: the spec says {stated}, the origin publishes {blob.digest}",
                hint="correct sha256: in the spec, or the source",
            )
        mirrors = _mirrors(spec, blob.path, shards) if blob.role in ("weights", "shard") else ()
        if stated:
            return _locked(blob, blob.role, stated, "spec", mirrors)
        if blob.digest:
            return _locked(blob, blob.role, blob.digest, "published", mirrors)
        self.progress.note(f"{blob.path}: no digest is published; learning it from the bytes")
        return _locked(blob, blob.role, self.learn(blob.url, blob.size), "computed", mirrors)


def apart(lock: Lockfile) -> tuple[tuple[LockedFile, ...], LockedFile | None]:
    """Return the files that a lock has of its source, and the one of its spec's ``mmproj``; a template of the spec, or one
    made for its date, is none of them.
    """
    files = tuple(file for file in lock.files if file is not lock.dated_template)
    if lock.spec.chat.template:
        named = [file for file in files if file.role == "chat_template"][-1:]
        files = tuple(file for file in files if file not in named)
    own = [file for file in files if file.role == "mmproj"] if lock.spec.mmproj else []
    return tuple(file for file in files if not own or file is not own[-1]), own[-1] if own else None


def reference_of(project: Project, spec: Spec) -> LockedReference | None:
    """Return what the lock of the spec's reference pins now. Raises UsageError where there is no such lock."""
    if spec.reference is None:
        return None
    if spec.reference == spec.name:
        raise UsageError(f"{spec.name} names itself as its reference", hint="name the model that it was made of")
    try:
        lock = read_lock(project, spec.reference)
    except LockOutOfDate as error:
        said = f"{spec.name} names {spec.reference} as its reference: {error.message}"
        raise UsageError(said, hint=f"run assay lock {spec.reference} first") from None
    return LockedReference(name=lock.name, weights=tuple(file.sha256 for file in lock.shards))


def cutoff(span: str | None, now: datetime) -> datetime | None:
    """Return the moment that ``exclude_newer`` means: the end of a day, or so many days before ``now``. Raises UsageError."""
    if span is None:
        return None
    if span.endswith("d"):
        return now - timedelta(days=int(span[:-1]))
    try:
        return datetime.fromisoformat(span).replace(tzinfo=UTC) + timedelta(days=1)
    except ValueError:
        raise UsageError(
            f"exclude_newer: there is no day {span}", hint="write for instance 2026-10-01, or 7d"
        ) from None


def _named(resolved: Resolved) -> Resolved:
    """Return what was found. Raises UsageError for a name that no lock may hold."""
    for blob in resolved.blobs:
        if fault := fault_of(blob.path):
            said = f"{resolved.reference}: a file is called {blob.path[:100]!r}: {fault}"
            raise UsageError(said, hint="give it a name that is one on every system")
    return resolved


def _source(spec: Spec, resolved: Resolved) -> LockedSource:
    """Return what the lock says of the origin; what it doesn't know, it doesn't mention."""
    said = {
        "rule": resolved.rule,
        "published": resolved.appeared,
        "gated": resolved.gated,
        "license": resolved.license,
        "license_from": resolved.license_from,
    }
    return LockedSource.model_validate(
        {
            "original": spec.source,
            "resolved": resolved.reference,
            **{key: value for key, value in said.items() if value},
        }
    )


def _locked(blob: Blob, role: str, digest: Digest, known: str, mirrors: tuple[str, ...]) -> LockedFile:
    return LockedFile.model_validate(
        {
            "role": role,
            "path": blob.path,
            "size": blob.size,
            "sha256": str(digest),
            "urls": [blob.url, *mirrors],
            "known": known,
        }
    )


def _mirrors(spec: Spec, path: str, shards: int) -> tuple[str, ...]:
    """Return the mirrors' URLs of one file. Raises UsageError."""
    for mirror in spec.mirrors:
        if shards > 1 and not mirror.endswith("/"):
            raise UsageError(
                f"mirrors: {mirror} names one file, the weights are {shards}", hint="write a folder, with / at its end"
            )
    name = path.rpartition("/")[2]
    return tuple(mirror + name if mirror.endswith("/") else mirror for mirror in spec.mirrors)


_NO_SUITES = "there is none yet: a suite is evals/NAME/suite.yaml, and those of Assay's own evals/ can be copied there"


def _suite(project: Project, name: str) -> LockedSuite:
    folder = project.suites / name
    if not (folder / "suite.yaml").is_file():
        known = sorted(path.parent.name for path in project.suites.glob("*/suite.yaml"))
        hint = did_you_mean(name, known, f"there are: {', '.join(known)}" if known else _NO_SUITES)
        raise UsageError(f"no suite {name!r}: evals/{name}/suite.yaml does not exist", hint=hint)
    head = read_model(folder / "suite.yaml", SuiteHead)
    found = {"version": head.version, "digest": str(tree_digest(folder))}
    plugins = plugins_of(folder / "suite.yaml")
    return LockedSuite.model_validate({**found, "plugins": plugins} if plugins else found)
