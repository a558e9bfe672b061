"""What became of the pinned models upstream. The locks stay as they are."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pipeline.core.digest import Digest
from pipeline.core.errors import Gone, NetworkError, UsageError
from pipeline.core.http import Refused
from pipeline.flow.session import Session
from pipeline.lock.load import read_lock
from pipeline.lock.model import Lockfile
from pipeline.lock.resolve import Resolver
from pipeline.spec.load import find_spec, read_spec
from pipeline.spec.sources._base import Resolved, source_of

_AT_ONCE = 8
_GONE = frozenset({401, 403, 404, 410})


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
    """Ask every model's origin what its reference is now. Raises LockOutOfDate where there is no lock."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda name: _ask(session, name), names))


def _ask(session: Session, name: str) -> Upstream:
    path = find_spec(session.project, name)
    spec = read_spec(path)
    lock = read_lock(session.project, spec.name)
    locked = lock.source.resolved
    if source_of(spec.source).LOCAL:
        return Upstream(lock.name, ("local",), locked, locked)
    try:
        found = Resolver(session.project, _never).ask(spec.source, spec, path.parent)
    except NetworkError as error:
        gone = isinstance(error, Gone) or (isinstance(error, Refused) and error.status in _GONE)
        return Upstream(lock.name, ("vanished" if gone else "unreachable",), locked, said=error.message)
    except UsageError as error:  # the file that was picked is there no more, or only what is too new
        return Upstream(lock.name, ("vanished",), locked, said=error.message)
    return compare_with(lock, found)


def _never(url: str, size: int) -> Digest:
    raise AssertionError(f"{url} is not to be downloaded")


def compare_with(lock: Lockfile, found: Resolved) -> Upstream:
    """Compare a lock with what its origin says now."""
    shards = [blob for blob in found.blobs if blob.role in ("weights", "shard")]
    digests = [str(blob.digest) if blob.digest else None for blob in shards]
    published = found.published.strftime("%Y-%m-%dT%H:%M:%SZ") if found.published else None
    same_size = [blob.size for blob in shards] == [file.size for file in lock.shards]
    states, said = [], []
    if None not in digests:
        if digests != [file.sha256 for file in lock.shards]:
            states.append("newer")
            said.append("other weights files")
    elif not same_size or published != lock.source.published:
        states.append("newer")
        said.append("another size" if not same_size else f"changed {published or 'at a time that nobody tells'}")
    elif published is None:
        states.append("unknown")
        said.append("its origin publishes neither digest nor date")
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


def _place(reference: str) -> str:
    """Return a reference without its version: the repository's own name."""
    return reference.partition("@")[0]
