"""Fetch: bytes from a source into the store, hashed as they come, resumed where they stopped, visible only when verified."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pipeline.core.canonical import digest_of
from pipeline.core.digest import Digest
from pipeline.core.errors import AssayError, DigestMismatch, NetworkError, UsageError
from pipeline.core.progress import SILENT, Progress, Task
from pipeline.lock.model import LockedFile
from pipeline.spec.sources._base import Remote, source_of
from pipeline.store.follow import Follower
from pipeline.store.foreign import foreign_file
from pipeline.store.layout import Store
from pipeline.store.line import Line
from pipeline.store.partial import Full, Partial
from pipeline.store.take import take
from pipeline.store.transfer import SMALL, NoRanges, Stopped, TooMuch, Transfer
from pipeline.store.verify import require, verify

_SPARE = 64 << 20
_TICK = 0.1
_FROM_NOTHING = 4
_AGAIN = "run the command again"


def fetch(
    store: Store,
    file: LockedFile,
    root: Path,
    *,
    offline: bool = False,
    progress: Progress = SILENT,
    limit_rate: int | None = None,
    line: Line | None = None,
) -> Path:
    """Bring one locked file into the store, trying its URLs in turn; returns its path.

    ``limit_rate`` is in bytes a second; ``line`` is shared by fetches that go on at the same time. Raises DigestMismatch when no
    origin has the right bytes, NetworkError when none can be reached, UsageError when the disk is full. What came is kept and the next
    fetch goes on there, also after an interrupt.
    """
    final, line = store.path(file.digest), line or Line(limit_rate)
    if is_there(store, file, progress):
        return final
    held = f"{file.path}: another process fetches it; waiting"
    with store.lock(file.digest.hex, lambda: progress.note(held), line.stop.is_set):
        if store.trusted(file.digest):  # the other process has finished
            return final
        remotes = [place for url in file.urls for place in _places(url, root, offline)]
        if not remotes:
            hint = "run assay fetch without --offline"
            raise NetworkError(f"{file.path} ({file.digest}) is not in the store", hint=hint)
        check_space(store, [file])
        failures: list[AssayError] = []
        for number, (url, remote) in enumerate(remotes, 1):
            try:
                return _from(store, file, url, remote, line, progress)
            except Full:
                raise
            except AssayError as error:
                failures.append(error)
                if number < len(remotes):
                    progress.note(f"{error.message}; trying {remotes[number][0]}")
        raise _together(failures)


def learn(
    store: Store,
    url: str,
    size: int,
    root: Path,
    *,
    progress: Progress = SILENT,
    limit_rate: int | None = None,
    line: Line | None = None,
) -> Digest:
    """Download what nobody has named a digest for, into the store, and return the digest its bytes have.

    It comes in one piece and is never resumed: without a digest nobody could tell whether two parts are of one file. Raises
    NetworkError when other than ``size`` bytes come, UsageError when the disk is full.
    """
    place, line = store.root / "partial" / f"url-{digest_of(url).hex}", line or Line(limit_rate)
    with store.lock(place.name, lambda: progress.note(f"{url}: another process fetches it; waiting")):
        remote = source_of(url).open(url, root=root)
        _check_room(store, size)
        partial = Partial(place, None, size, journaled=False)
        if partial.kept:
            partial.reset()
        try:
            with progress.task(f"fetch {Path(url).name}", size, "B") as task:
                follower = _bring(remote, url, partial, line, "a moment ago", _teller(task), alone=True, tries=1)
            partial.close()
            with store.lock(follower.digest.hex):
                if not store.trusted(follower.digest):
                    store.publish(place, follower.digest, follower.leaves)
            return follower.digest
        except (TooMuch, NoRanges):
            raise NetworkError(f"{url}: more than the {size} bytes came that were announced", hint=_AGAIN) from None
        finally:
            partial.discard()


def is_there(store: Store, file: LockedFile, progress: Progress = SILENT) -> bool:
    """Tell whether a file is in the store. One that nobody vouches for is hashed. Raises DigestMismatch when it is another: it is put away,
    and that is never passed over in silence.
    """
    if store.trusted(file.digest) or not store.has(file.digest):
        return store.trusted(file.digest)
    require(verify(store, [file], deep=False, progress=progress))
    return True


def check_space(store: Store, files: Iterable[LockedFile]) -> None:
    """Raise UsageError when the disk has no room for what is missing of the files."""
    missing = {file.digest: file.size for file in files if not store.trusted(file.digest)}
    _check_room(store, sum(size - _allocated(store.partial(digest), size) for digest, size in missing.items()))


def _allocated(path: Path, size: int) -> int:
    """Return how many of the bytes have their place on the disk: a partial file has holes."""
    try:
        found = path.lstat()
    except OSError:
        return 0
    return min(size, found.st_size, found.st_blocks * 512)


def _check_room(store: Store, size: int) -> None:
    store.root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store.root).free
    if free < size + _SPARE:
        said = f"{store.root} has {free >> 20} MiB free, {(size + _SPARE) >> 20} MiB are needed"
        raise UsageError(said, hint="free some space, or name another store: ASSAY_STORE=FOLDER")


def _places(url: str, root: Path, offline: bool) -> Iterator[tuple[str, Remote]]:
    """Yield where the file at ``url`` can be had, each with what it is called: on this machine first, if another tool has it."""
    source = source_of(url)
    if offline and url.startswith(("http:", "https:")):
        return
    remote = source.open(url, root=root)
    otherwise: Remote | None = getattr(remote, "otherwise", None)
    if otherwise is not None:
        yield str(_path_of(remote)), remote
        remote = otherwise
    if source.LOCAL or not offline or _path_of(remote):
        yield url, remote


def _path_of(remote: Remote) -> Path | None:
    path = getattr(remote, "path", None)
    return path if isinstance(path, Path) else None


def _from(store: Store, file: LockedFile, url: str, remote: Remote, line: Line, progress: Progress) -> Path:
    """Bring the file from one origin; what is kept from before is used, and thrown away where it doesn't lead to the right bytes."""
    what, alone = f"{file.path} ({file.digest})", file.size <= SMALL
    partial = Partial(store.partial(file.digest), file.digest, file.size, journaled=not alone)
    try:
        with progress.task(f"fetch {Path(file.path).name}", file.size, "B") as task:
            tell = _teller(task)
            for _ in range(_FROM_NOTHING):
                try:
                    follower = _bring(remote, url, partial, line, what, tell, alone=alone)
                except NoRanges:
                    alone = True
                except TooMuch:
                    raise _wrong(store, file, url, partial, f"more than {file.size} bytes", None) from None
                else:
                    if follower.digest == file.digest:
                        partial.close()
                        final = store.publish(partial.path, file.digest, follower.leaves)
                        partial.discard()
                        return final
                    if not partial.kept:
                        got = f"{follower.digest} ({file.size} bytes)"
                        raise _wrong(store, file, url, partial, got, _path_of(remote))
                partial.reset()
                tell(0)
        said = f"{url}: the transfer broke off again and again, and this origin always begins from the start"
        raise NetworkError(said, hint=_AGAIN)
    finally:
        partial.leave()


def _bring(
    remote: Remote,
    url: str,
    partial: Partial,
    line: Line,
    what: str,
    tell: Callable[[int], None],
    *,
    alone: bool,
    tries: int | None = None,
) -> Follower:
    """Fill the partial file; returns what it was hashed to on the way."""
    path = _path_of(remote)
    if path and partial.kept:
        partial.reset()
    follower = Follower(partial)
    try:
        if path:
            take(path, partial, what, line.stop.is_set, tell)
            line.came += partial.size
        else:
            Transfer(remote, url, partial, line, what, alone=alone, tries=tries).run(tell)
        while not follower.done():
            if line.stop.is_set():
                raise Stopped
            follower.wait(_TICK)
        return follower
    finally:
        follower.stop()


def _teller(task: Task) -> Callable[[int], None]:
    """Return a function that is told how much is there, and tells the task what was added or lost."""
    told = 0

    def tell(there: int) -> None:
        nonlocal told
        if there != told:
            task.advance(there - told)
            told = there

    return tell


def _wrong(store: Store, file: LockedFile, url: str, partial: Partial, got: str, source: Path | None) -> DigestMismatch:
    """Put the bad file away, unless it is the copy of a ``source`` that is still there; returns what the user must hear."""
    partial.close()
    page = foreign_file(partial.path, file.role, file.path)
    kept = source or store.quarantine(partial.path, file.digest)
    partial.discard()
    return DigestMismatch(
        f"{file.path} from {url} is not what the lock names{f': {page}' if page else ''}\n"
        f"  want {file.digest} ({file.size} bytes)\n  got  {got}\n  path {kept}",
        hint="the origin changed or the transfer was tampered with; if the new file is meant, run assay lock",
    )


def _together(failures: list[AssayError]) -> AssayError:
    """Return one error for what went wrong at each origin: bad bytes weigh more than no bytes."""
    if len(failures) == 1:
        return failures[0]
    worst = next((one for one in failures if isinstance(one, DigestMismatch)), failures[-1])
    said = "\n".join(dict.fromkeys(one.message for one in failures))
    kind = DigestMismatch if isinstance(worst, DigestMismatch) else NetworkError
    return kind(said, hint=worst.hint)
