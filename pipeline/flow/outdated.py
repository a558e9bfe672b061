"""What became of the pinned models upstream. The locks stay as they are."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.core.digest import Digest
from pipeline.core.errors import Gated, Gone, NetworkError, NotThere, UsageError
from pipeline.core.http import Refused
from pipeline.flow.session import Session
from pipeline.lock.load import read_lock
from pipeline.lock.meaning import WEIGHTS, Described, moved, role_in_words, roles
from pipeline.lock.model import LockedFile, Lockfile
from pipeline.lock.resolve import Resolver, apart
from pipeline.spec.load import find_spec, read_spec
from pipeline.spec.model import Spec
from pipeline.spec.sources._base import Blob, Resolved, source_of

_AT_ONCE = 8
_GONE, _GATED = frozenset({404, 410}), frozenset({401, 403})


@dataclass(frozen=True)
class Upstream:
    """What a pinned model is at its origin now. ``states`` are ``current``, or what happened: ``newer``, ``renamed``, ``relicensed``,
    ``gated``, ``vanished``, ``unreachable``, ``unknown`` (a file whose origin publishes neither digest nor date); ``local`` for
    files of this machine.
    """

    name: str
    states: tuple[str, ...]
    locked: str
    now: str = ""
    said: str = ""

    @property
    def current(self) -> bool:
        """Whether there is nothing to tell."""
        return self.states in (("current",), ("local",))


def outdated(session: Session, names: Iterable[str]) -> list[Upstream]:
    """Ask every model's origin what its reference is now. Raises LockOutOfDate where there is no lock, UsageError
    for what is wrong on this machine."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda name: _ask(session, name), names))


def _ask(session: Session, name: str) -> Upstream:
    path = find_spec(session.project, name)
    spec = read_spec(path)
    lock = read_lock(session.project, spec.name)
    local, resolved = source_of(spec.source).LOCAL, lock.source.resolved
    told = Upstream(lock.name, ("local",), resolved, resolved)
    if not local:
        found, state, said = _found(session, spec.source, spec, path.parent)
        told = compare_with(lock, found) if found else Upstream(lock.name, (state,), resolved)
        told = _more(told, "", said) if said else told
    mmproj = lock.spec.mmproj
    if mmproj and mmproj == spec.mmproj and not source_of(mmproj).LOCAL:
        found, state, said = _found(session, mmproj, spec, path.parent)
        if found and (projector := apart(lock)[1]):
            state, words = _projector(projector, found.blob)
            said = "; ".join(filter(None, (words, said)))
        told = _more(told, state, f"mmproj: {said}" if said else "")
    return told


def _found(session: Session, reference: str, spec: Spec, folder: Path) -> tuple[Resolved | None, str, str]:
    """Return what a reference is at its origin, or the state that says why that can't be known; and what there is to say of it."""
    resolver = Resolver(session.project, _never)
    try:
        try:
            return resolver.ask(reference, spec, folder), "", ""
        except NotThere:
            raise
        except UsageError as error:
            if not spec.exclude_newer:
                raise
            # What is there may be too new to be locked; it is told all the same.
            return resolver.ask(reference, spec.model_copy(update={"exclude_newer": None}), folder), "", error.message
    except NetworkError as error:
        status = error.status if isinstance(error, Refused) else 0
        if isinstance(error, Gated) or status in _GATED:
            return None, "gated", f"asks for a login: {error.message}"
        return None, "vanished" if isinstance(error, Gone) or status in _GONE else "unreachable", error.message


def _more(told: Upstream, state: str, said: str) -> Upstream:
    """Return an answer with one more state, if it is one, and one more thing said."""
    states = told.states
    if state and state not in states:
        states = (*(() if told.current else states), state)
    return replace(told, states=states, said="; ".join(filter(None, (told.said, said))))


def _never(url: str, size: int) -> Digest:
    raise AssertionError(f"{url} is not to be downloaded")


def _projector(locked: LockedFile, now: Blob) -> tuple[str, str]:
    """Return the state of a projector, if there is anything to tell, and what to say."""
    if now.digest is None:
        same = now.size == locked.size
        return (
            ("", "its origin publishes no digest, only its size is known to be the same")
            if same
            else ("newer", "another size")
        )
    changed = (now.path, str(now.digest)) != (locked.path, locked.sha256)
    return ("newer", "another file") if changed else ("", "")


def compare_with(lock: Lockfile, found: Resolved) -> Upstream:
    """Compare a lock with what its origin says now."""
    states, said = _files(lock, found)
    if not states and found.reference != lock.source.resolved:
        said.append("a newer version with the same weights files")
    if (old := _place(lock.source.resolved)) != (new := _place(found.reference)):
        states.append("renamed")
        said.append(f"{old} is {new} now")
    if found.license != lock.source.license:
        states.append("relicensed")
        said.append(f"licence {lock.source.license or 'none'} -> {found.license or 'none'}")
    if found.gated and not lock.source.gated:
        states.append("gated")
        said.append("it asks for a login now")
    return Upstream(lock.name, tuple(states) or ("current",), lock.source.resolved, found.reference, "; ".join(said))


def _files(lock: Lockfile, found: Resolved) -> tuple[list[str], list[str]]:
    """Tell whether the origin gives other files than the lock has of it, and which."""
    files = apart(lock)[0]
    blobs = [blob for blob in found.blobs if blob.digest]
    if len(blobs) == len(found.blobs):
        now: Described = {}
        for blob in blobs:
            now.setdefault(role_in_words(blob.role), []).append((blob.path, str(blob.digest)))
        others = [f"{role} files" if role == WEIGHTS else role for role in moved(roles(files), now)]
        return (["newer"], [f"other {', '.join(others)}"]) if others else ([], [])
    published = found.appeared
    if [blob.size for blob in found.blobs] != [file.size for file in files]:
        return ["newer"], ["another size"]
    if published != lock.source.published:
        return ["newer"], [f"changed {published or 'at a time that nobody tells'}"]
    return ([], []) if published else (["unknown"], ["its origin publishes neither digest nor date"])


def _place(reference: str) -> str:
    """Return a reference without its version: the repository's own name."""
    return reference.partition("@")[0]
