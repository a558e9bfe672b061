"""Lint whatever a user names: specs of the catalog, GGUF files, references of hubs. What a plain file doesn't need is
imported only for the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.errors import AssayError, UsageError
from pipeline.lint.engine import ignored, lint, rules, selected, skipped
from pipeline.lint.formats._base import Linted, fingerprint
from pipeline.lint.model import Stage, above
from pipeline.lint.subject import Subject, subject_from, subject_of

if TYPE_CHECKING:
    from pipeline.flow.session import Session
    from pipeline.lock.model import Lockfile
    from pipeline.runtime.build import EngineBuild

Judged = Linted | AssayError
_ERRORS = "warning"  # what is allowed of a file that no spec speaks for: all but errors
_MOST_AT_ONCE = 8


@dataclass(frozen=True)
class Choice:
    """Which rules count: codes or their beginnings, and the fingerprints of findings that are known. ``engine`` is asked
    by rules of stages up to ``upto``; without one they are not evaluated.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    baseline: frozenset[str] = field(default_factory=frozenset)
    upto: Stage = Stage.PLAYBACK
    engine: EngineBuild | None = None


def lint_file(path: Path, choice: Choice) -> Linted:
    """Lint a GGUF file without a spec. Raises GgufError, UsageError."""
    return _linted(str(path), str(path), subject_of(path, engine=choice.engine), _ERRORS, choice)


def lint_reference(reference: str, root: Path, choice: Choice) -> Linted:
    """Lint a model at its origin: its headers are read, its weights stay there. Raises GgufError, NetworkError, UsageError."""
    from pipeline.lock.remote import read_remote_header
    from pipeline.spec.sources._base import source_of

    source = source_of(reference)
    found = source.resolve(reference, folder=root, root=root)
    parts = [blob for blob in found.blobs if blob.role in ("weights", "shard")]
    headers = [read_remote_header(source.open(part.url, root=root), part.url, part.size) for part in parts]
    subject = subject_from(*headers, license_id=found.license, engine=choice.engine)
    return _linted(reference, found.reference, subject, _ERRORS, choice)


def lint_spec(session: Session, name: str, choice: Choice) -> Linted:
    """Lint a locked model with its spec: its files in the store, which are verified first; of weights at a hub that aren't there,
    their headers, which must say what the lock does. Raises LockOutOfDate, and what fetching and verifying raise.
    """
    from pipeline.flow.prepare import fetch_all, verify_all
    from pipeline.flow.stages import subject_stored
    from pipeline.spec.load import find_spec, shown
    from pipeline.spec.sources._base import source_of

    lock = session.current(name)
    place = shown(find_spec(session.project, name))
    here = session.offline or all(session.store.has(file.digest) for file in lock.shards)
    if here or source_of(lock.source.original).LOCAL:
        fetch_all(session, [lock])
        verify_all(session, [lock], deep=False)
        subject = subject_stored(session.stored(lock), choice.engine)
    else:
        subject = _subject_at_origin(session, lock, choice.engine)
    return _linted(lock.name, place, subject, lock.spec.gates.lint, choice)


def _subject_at_origin(session: Session, lock: Lockfile, engine: EngineBuild | None) -> Subject:
    from pipeline.flow.dating import headers_of, own_template
    from pipeline.flow.prepare import require_facts

    session.progress.note(f"{lock.name}: its weights are not in the store: their header is read where they come from")
    headers = headers_of(session, lock)
    require_facts(lock, headers)
    template = own_template(session, lock)
    found = subject_from(*headers, spec=lock.spec, license_id=lock.license.id, template=template, engine=engine)
    return replace(found, lock=lock)


def _linted(target: str, file: str, subject: Subject, allowed: str, choice: Choice) -> Linted:
    codes = selected(rules(), choice.select, choice.ignore)
    left_out = ignored(subject.spec) if subject.spec else frozenset()
    upto = min((choice.upto, max((rules()[code].stage for code in codes), key=_rank, default=Stage.HEADER)), key=_rank)
    findings = tuple(finding for finding in lint(subject, upto=upto) if finding.code in codes)
    known = tuple(finding for finding in findings if fingerprint(target, finding) in choice.baseline)
    bad = tuple(finding for finding in above(findings, allowed) if finding not in known)
    not_evaluated = {
        code: why for code, why in skipped(subject, upto).items() if code in codes and code not in left_out
    }
    return Linted(target, file, findings, bad, known, not_evaluated)


def _rank(stage: Stage) -> int:
    return stage.rank


def kind_of(target: str) -> str:
    """Tell what a target is: ``file``, ``reference`` or ``spec``. Raises UsageError for a reference that no source knows."""
    if target.endswith(".gguf") and ":" not in target:
        return "file"
    if "://" in target:
        from pipeline.spec.sources._base import source_of

        source_of(target)
        return "reference"
    if target.endswith((".yaml", ".yml")):
        return "spec"
    return "file" if os.sep in target or Path(target).is_file() else "spec"  # no name of a spec has a separator


def lint_all(
    session: Session | None,
    targets: Sequence[str],
    root: Path,
    choice: Choice,
    unread: list[tuple[str, AssayError]] | None = None,
) -> list[Linted]:
    """Lint every target, files first. ``session`` is needed for specs alone. Raises as the others do; with ``unread``, of
    several targets those that can't be read are left out of the answer and told there.
    """
    kinds = {target: kind_of(target) for target in targets}
    files = [target for target, kind in kinds.items() if kind == "file"]
    others = [target for target, kind in kinds.items() if kind != "file"]
    selected(rules(), choice.select, choice.ignore)

    def judged(target: str) -> Judged:
        try:
            if kinds[target] == "file":
                return lint_file(Path(target), choice)
            if kinds[target] == "reference":
                return lint_reference(target, root, choice)
            if session is None:
                raise UsageError(f"no project here, so no spec {target!r}", hint="name a file or a reference of a hub")
            return lint_spec(session, target, choice)
        except AssayError as error:
            if unread is None or len(kinds) == 1:
                raise
            return error

    found = [*_at_once(judged, files, choice), *map(judged, others)]
    if unread is not None:
        told = zip((*files, *others), found, strict=True)
        unread += [(target, one) for target, one in told if isinstance(one, AssayError)]
    return [one for one in found if isinstance(one, Linted)]


def _at_once(judged: Callable[[str], Judged], files: Sequence[str], choice: Choice) -> list[Judged]:
    """Judge files, several at once: their templates are rendered by other processes, one for each thread. With an engine one
    after the other, as its servers fill the machine by themselves.
    """
    if len(files) < 2 or choice.engine is not None:
        return [judged(file) for file in files]
    with ThreadPoolExecutor(min(len(files), os.cpu_count() or 1, _MOST_AT_ONCE)) as pool:
        return list(pool.map(judged, files))
