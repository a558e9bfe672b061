"""Resolve: ask the sources what a spec's references are at this moment. The only step of locking that reads files or the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.canonical import tree_digest
from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, NetworkError, UsageError
from pipeline.core.progress import SILENT, Progress
from pipeline.core.project import Project
from pipeline.gguf.facts import Facts, facts_of
from pipeline.gguf.header import MAX_HEADER, Header, HeaderCut, parse_header
from pipeline.lock.model import LockedFile, LockedSource, LockedSuite
from pipeline.spec.load import read_model
from pipeline.spec.model import Spec
from pipeline.spec.sources._base import Remote, source_of
from pipeline.spec.suite import SuiteHead

Learn = Callable[[str, int], Digest]
_HEADER_FIRST = 1 << 20


@dataclass(frozen=True)
class Resolution:
    """All that a lock needs to know beside its spec."""

    source: LockedSource
    files: tuple[LockedFile, ...]
    facts: Facts
    suites: dict[str, LockedSuite]


def resolve(spec: Spec, spec_path: Path, project: Project, learn: Learn, progress: Progress = SILENT) -> Resolution:
    """Resolve a spec. ``learn`` brings a file of unknown digest into the store and returns its digest.

    Raises UsageError, NetworkError, or DigestMismatch when the origin contradicts the spec.
    """
    folder = spec_path.parent
    source = source_of(spec.source)
    resolved = source.resolve(spec.source, folder=folder, root=project.root)
    blob = resolved.blob
    header = read_remote_header(source.open(blob.url, root=project.root), blob.url, blob.size)
    stated = Digest.parse(spec.sha256) if spec.sha256 else None
    if stated and blob.digest and stated != blob.digest:
        raise DigestMismatch(
            f"{spec.source}: the spec says {stated}, the origin publishes {blob.digest}",
            hint="correct sha256: in the spec, or the source",
        )
    if stated:
        digest, known = stated, "spec"
    elif blob.digest:
        digest, known = blob.digest, "published"
    else:
        progress.note(f"{blob.path}: no digest is published; learning it from the bytes")
        digest, known = learn(blob.url, blob.size), "computed"
    weights = LockedFile.model_validate(
        {
            "role": "weights",
            "path": blob.path,
            "size": blob.size,
            "sha256": str(digest),
            "urls": [blob.url],
            "known": known,
        }
    )
    files = (weights, *([_template(spec, folder, project, learn)] if spec.chat.template else []))
    suites = {name: _suite(project, name) for name in sorted({*spec.checks, *spec.evals})}
    return Resolution(LockedSource(original=spec.source, resolved=resolved.reference), files, facts_of(header), suites)


def read_remote_header(remote: Remote, url: str, size: int) -> Header:
    """Read a GGUF header from any source, in growing ranges: the weights behind it are never transferred, and nothing more
    once it is known to be malformed. Raises GgufError, NetworkError, UsageError.
    """
    data, most = bytearray(), min(size, MAX_HEADER)
    want = min(_HEADER_FIRST, most)
    while True:
        _extend(data, remote, want)
        if len(data) < want:
            raise NetworkError(
                f"{url}: the transfer ended after {len(data)} of {want} bytes", hint="run the command again"
            )
        try:
            return parse_header(bytes(data), size, name=url)
        except HeaderCut as cut:
            if want == most:
                raise
            want = min(max(4 * want, cut.wanted), most)


def _extend(data: bytearray, remote: Remote, want: int) -> None:
    """Read on until ``data`` has ``want`` bytes, or the stream ends."""
    with remote.read(len(data), want) as stream:
        if stream.start == 0:
            data.clear()
        for chunk in stream.chunks:
            data += chunk[: want - len(data)]
            if len(data) == want:
                return


def _template(spec: Spec, folder: Path, project: Project, learn: Learn) -> LockedFile:
    reference = f"file:{spec.chat.template}"
    blob = source_of(reference).resolve(reference, folder=folder, root=project.root).blob
    digest = learn(blob.url, blob.size)
    return LockedFile.model_validate(
        {
            "role": "chat_template",
            "path": blob.path,
            "size": blob.size,
            "sha256": str(digest),
            "urls": [blob.url],
            "known": "computed",
        }
    )


def _suite(project: Project, name: str) -> LockedSuite:
    folder = project.suites / name
    if not (folder / "suite.yaml").is_file():
        known = sorted(path.parent.name for path in project.suites.glob("*/suite.yaml"))
        raise UsageError(
            f"no suite {name!r}: evals/{name}/suite.yaml does not exist", hint=f"there are: {', '.join(known)}"
        )
    head = read_model(folder / "suite.yaml", SuiteHead)
    return LockedSuite(version=head.version, digest=str(tree_digest(folder)))
