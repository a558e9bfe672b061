"""From a spec to its lock."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.digest import Digest
from pipeline.core.errors import LockOutOfDate, NetworkError, UsageError, did_you_mean
from pipeline.flow.dating import dated
from pipeline.flow.prompting import with_prompts
from pipeline.flow.session import Session
from pipeline.lock.compare import compare, weights_of
from pipeline.lock.compile import compile_lock
from pipeline.lock.diff import Change, diff
from pipeline.lock.load import NewerLock, read_lock, write_lock
from pipeline.lock.meaning import Meaning, meaning, moved, moved_keys, roles
from pipeline.lock.model import LockedFile, Lockfile
from pipeline.lock.resolve import Resolver
from pipeline.spec.load import Fault, find_spec, read_model, read_spec, refuse
from pipeline.spec.model import Spec
from pipeline.spec.suite import SuiteHead
from pipeline.store.fetch import learn
from pipeline.store.line import Line
from pipeline.store.sharing import adding, register

_AT_ONCE = 8


@dataclass(frozen=True)
class Locked:
    """A lock that was made: what changed against the one before, whether there was none (or a damaged one), whether the file was
    written, and, where other weights are pinned than before, what that means.
    """

    lock: Lockfile
    changes: tuple[Change, ...]
    written: bool
    fresh: bool = False
    meaning: tuple[Meaning, ...] = ()


def make_lock(session: Session, name: str, *, dry_run: bool = False, upgrade: bool = False) -> Locked:
    """Resolve a spec and write its lock. Nothing is written when nothing changed, or with ``dry_run``. What the lock pins already
    stays, unless ``upgrade`` asks its origin again.

    Raises SpecError for faults in the spec or its suites, UsageError for what it names and isn't there, NewerLock when
    the lock there is of a newer Assay.
    """
    with _held(session, dry_run):
        return _make(session, name, dry_run, upgrade, Line())


def make_locks(session: Session, names: Iterable[str], *, dry_run: bool = False, upgrade: bool = False) -> list[Locked]:
    """Make several locks at once: most of the time goes into waiting for origins. The first error ends it; locks that were
    written by then stay, and a note tells of each.
    """
    names = list(names)
    if len(names) == 1:
        return [make_lock(session, names[0], dry_run=dry_run, upgrade=upgrade)]
    line, waiting = Line(), list[Future[Locked]]()
    try:
        with (
            _held(session, dry_run),
            session.progress.task("lock", len(names), "specs") as task,
            ThreadPoolExecutor(_AT_ONCE) as pool,
        ):
            try:
                made = {}
                for wave in _waves(session, names):
                    round_ = {name: pool.submit(_make, session, name, dry_run, upgrade, line) for name in wave}
                    waiting += round_.values()
                    for name, one in round_.items():
                        made[name] = one.result()
                        task.advance()
                return [made[name] for name in names]
            finally:
                line.stop.set()  # or an interrupt would wait for whole downloads
                pool.shutdown(wait=False, cancel_futures=True)
    except BaseException:
        for one in waiting:
            if one.done() and not one.cancelled() and not one.exception() and one.result().written:
                session.progress.note(f"{one.result().lock.name}: written, {one.result().lock.digest}")
        raise


def _waves(session: Session, names: list[str]) -> list[list[str]]:
    """Return the names in waves: a reference is locked before what names it."""
    references = {name: read_spec(find_spec(session.project, name)).reference for name in names}

    def depth(name: str | None) -> int:
        seen: set[str] = set()
        while (name := references.get(name or "")) and name not in seen:
            seen.add(name)
        return len(seen)

    depths = {name: depth(name) for name in names}
    return [[name for name in names if depths[name] == at] for at in sorted(set(depths.values()))]


def _held(session: Session, dry_run: bool) -> AbstractContextManager[None]:
    """Keep prunes away from what is learnt, and from what is there already, until the locks that name it are written."""
    return nullcontext() if dry_run else adding(session.store)


def _make(session: Session, name: str, dry_run: bool, upgrade: bool, line: Line) -> Locked:
    path = find_spec(session.project, name)
    spec = read_spec(path)
    before = _before(session, spec.name)

    def learn_digest(url: str, size: int) -> Digest:
        register(session.project, session.store)
        return learn(session.store, url, size, session.project.root, progress=session.progress, line=line)

    resolver = Resolver(session.project, learn_digest, session.progress)
    lock = compile_lock(spec, resolver.resolve(spec, path, None if upgrade else before))
    _check_names(session, lock, path)
    with_day = dated(session, lock, before)
    lock = with_day.lock
    lock = with_prompts(session, lock, before, resolver.read, with_day.text)
    changes = tuple(diff(before.content(), lock.content())) if before else ()
    means = meaning_of(session, before, lock) if before else ()
    if not dry_run:
        with_day.write(session.project)
    return Locked(lock, changes, not dry_run and write_lock(session.project, lock), before is None, means)


def meaning_of(session: Session, old: Lockfile, new: Lockfile) -> tuple[Meaning, ...]:
    """Tell what other files mean; the weights are compared as far as they can be read: here, else upstream."""

    def stored(file: LockedFile) -> Path | None:
        return session.store.path(file.digest) if session.store.has(file.digest) else None

    if not moved(roles(old.files), roles(new.files)):
        return ()
    if [file.sha256 for file in old.shards] == [file.sha256 for file in new.shards]:
        same = "" if old.gguf.get("template_digest") else None
        return meaning(old, new, (True, "the same files"), (same, same))
    keys: tuple[str, ...] | None = None
    compared = False
    try:
        if gone := _replaced(old, new, stored):
            raise UsageError(f"{gone} was replaced, and what it was is not here any more")
        before, after = (weights_of(lock, stored, session.project.root) for lock in (old, new))
        keys = moved_keys(before.parts[0].header, after.parts[0].header)
        templates = before.template, after.template
        weights = compare(before, after)
        compared = True
    except (NetworkError, UsageError) as error:
        same_template = old.gguf.get("template_digest") == new.gguf.get("template_digest")
        weights, templates = (None, error.message), ("", "" if same_template else "(its text can't be read now)")
    return meaning(old, new, weights, templates, keys, compared=compared)


def _replaced(old: Lockfile, new: Lockfile, stored: Callable[[LockedFile], Path | None]) -> str:
    """Return the address at which other weights lie now than those that were locked and are not stored; "" where there is none."""
    now = {url: file.sha256 for file in new.shards for url in file.urls}
    gone = [
        url for file in old.shards if not stored(file) for url in file.urls if now.get(url, file.sha256) != file.sha256
    ]
    return next(iter(gone), "")


def _before(session: Session, name: str) -> Lockfile | None:
    """Return the lock that stands there now. One of a newer Assay is not to be replaced: raises NewerLock."""
    try:
        return read_lock(session.project, name)
    except NewerLock:
        raise
    except LockOutOfDate:
        return None


def _check_names(session: Session, lock: Lockfile, path: Path) -> None:
    """Look into what the spec names only: suites, and the rules that it ignores."""
    from pipeline.lint.engine import rules

    codes = rules()
    for ignored in lock.spec.lint.ignore:
        if ignored.code not in codes:
            hint = did_you_mean(ignored.code, codes, "see assay explain")
            raise UsageError(f"{lock.name}: lint.ignore names {ignored.code}, which is no rule", hint=hint)
    from pipeline.checks.engine import load_suite as load_checks
    from pipeline.evals.engine import compares
    from pipeline.evals.engine import load_suite as load_eval

    _check_headings(session.project.suites, lock.spec, path)
    _check_groups(lock.spec, path, [load_checks(session.project.suites / name).groups for name in lock.spec.checks])
    for name in lock.spec.evals:
        load_eval(session.project.suites / name)
        if compares(session.project.suites / name) and not lock.reference:
            said = f"{lock.name}: the suite {name} compares with a reference, and the spec names none"
            raise UsageError(said, hint="write reference: with the name of another spec, or leave the suite out")


def _check_headings(suites: Path, spec: Spec, path: Path) -> None:
    """Raise SpecError for each suite under the wrong one of checks and evals: read as the other, its file would seem full of faults."""
    from pipeline.evals.suite import kinds

    faults = list[Fault]()
    for heading, names, other, wrong, noun in (
        ("checks", spec.checks, "evals", kinds(), "an eval"),
        ("evals", spec.evals, "checks", ("behaviour",), "a suite of checks"),
    ):
        for number, name in enumerate(names):
            if read_model(suites / name / "suite.yaml", SuiteHead).kind in wrong:
                faults.append(((heading, number), f"{heading}: {name} is {noun}", f"name it under {other}"))
    refuse(path, faults)


def _check_groups(spec: Spec, path: Path, groups: Iterable[Iterable[str]]) -> None:
    """Raise SpecError for each group of the gates that no suite of the spec has: it would never be run."""
    known = list(dict.fromkeys(group for some in groups for group in some))
    faults = list[Fault]()
    for number, asked in enumerate(spec.gates.checks):
        if asked.group not in known:
            near = difflib.get_close_matches(asked.group, known, n=1)
            there_are = f"their groups are: {', '.join(known)}" if known else "name a suite that has it under checks"
            said = f"gates.checks: no suite that the spec names under checks has the group {asked.group!r}"
            faults.append((("gates", "checks", number), said, f"did you mean {near[0]!r}?" if near else there_are))
    refuse(path, faults)
