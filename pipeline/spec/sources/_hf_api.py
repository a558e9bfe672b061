"""The hub's API, as far as locking asks it. What it answers is checked here: types, names, digests; the rest relies on that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urljoin

from pydantic import Field, TypeAdapter, ValidationError

from pipeline.core import http
from pipeline.core.digest import Digest
from pipeline.core.errors import NetworkError, UsageError
from pipeline.spec.sources._hf_errors import explained
from pipeline.spec.sources._hf_local import authorization, endpoint
from pipeline.spec.sources._hf_reference import is_commit, is_repo

T = TypeVar("T")
MOST_PAGES = 2000
MOST_FILES = 1_000_000
_ASIDE = "is this a hub? HF_ENDPOINT names another one"
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,]*\brel="?next\b')
_Size = Annotated[int, Field(ge=0, lt=1 << 53)]


# A list that is wrong all over gives one error, not millions.
Many = Annotated[list[T], Field(fail_fast=True)]


@dataclass(slots=True)
class Lfs:
    """Where a file's bytes are known by: ``sha256`` in a model's description, ``oid`` in a tree."""

    sha256: str | None = None
    oid: str | None = None
    size: _Size | None = None


@dataclass(slots=True)
class Sibling:
    """One file of a model's description."""

    rfilename: str
    size: _Size | None = None
    lfs: Lfs | None = None


@dataclass(slots=True)
class Card:
    """The head of a model's README, written by its owner."""

    license: str | Many[str] | None = None
    license_name: str | int | float | None = None


@dataclass(slots=True)
class Info:
    """A model at a revision."""

    id: str
    sha: str
    siblings: Many[Sibling] | None = None
    gated: bool | str | None = None
    cardData: Card | None = None
    lastModified: str | None = None


@dataclass(slots=True)
class Entry:
    """One line of a tree."""

    type: str
    path: str
    size: _Size | None = None
    lfs: Lfs | None = None


@dataclass(slots=True)
class Commit:
    """One line of a history."""

    id: str
    date: str


@dataclass(slots=True)
class Ref:
    name: str


@dataclass(slots=True)
class Refs:
    """What the names of a repository are."""

    branches: Many[Ref]


@dataclass(frozen=True, slots=True)
class File:
    """What is known of a file of a repository, and was checked."""

    size: int | None
    digest: Digest | None


def info(repo: str, rev: str) -> Info:
    """Return a model's description with its files. Raises NetworkError."""
    where = f"{_api(repo)}/revision/{quote(rev, safe='')}?blobs=true"
    found: Info = _checked(Info, _get(where, repo, rev)[0], where)
    if not is_commit(found.sha) or not is_repo(found.id) or (is_commit(rev) and found.sha != rev):
        raise NetworkError(f"{where}: the hub answers with {found.id[:200]!r} at {found.sha[:40]!r}", hint=_ASIDE)
    return found


def tree(repo: str, commit: str) -> Iterator[Sibling]:
    """Yield all files of a commit, page by page. Raises NetworkError, also for a listing without an end."""
    where, count = f"{_api(repo)}/tree/{commit}?recursive=true&expand=false", 0
    for page in _pages(Many[Entry], where, repo, commit):
        count += len(page)
        if count > MOST_FILES:
            raise NetworkError(f"{where}: more than {MOST_FILES} files", hint="no model has so many")
        for entry in page:
            if entry.type == "file":
                yield Sibling(entry.path, entry.size, entry.lfs)


def commits(repo: str, rev: str) -> Iterator[tuple[str, datetime]]:
    """Yield the commits that led to a revision, the newest first, with their times in UTC. Raises NetworkError."""
    where = f"{_api(repo)}/commits/{quote(rev, safe='')}"
    for page in _pages(Many[Commit], where, repo, rev):
        for one in page:
            if not is_commit(one.id):
                raise NetworkError(f"{where}: the hub lists a commit {one.id[:40]!r}", hint=_ASIDE)
            yield one.id, time_of(one.date, where)


def is_branch(repo: str, rev: str) -> bool:
    """Tell whether a revision is a branch: what moves, and so was something else before. Raises NetworkError."""
    where = f"{_api(repo)}/refs"
    refs: Refs = _checked(Refs, _get(where, repo, rev)[0], where)
    return any(ref.name == rev for ref in refs.branches)


def file_of(entry: Sibling, where: str) -> File:
    """Return a file's facts, checked. Raises NetworkError when they contradict each other."""
    lfs, name = entry.lfs or Lfs(), repr(entry.rfilename[:200])
    text = lfs.sha256 or lfs.oid
    try:
        digest = Digest.parse(f"sha256:{text.removeprefix('sha256:')}") if text else None
    except ValueError:
        raise NetworkError(f"{where}: the hub gives {name} a digest that is no sha256", hint=_ASIDE) from None
    sizes = {size for size in (entry.size, lfs.size) if size is not None}
    if len(sizes) > 1:
        raise NetworkError(f"{where}: the hub gives {name} two sizes, {entry.size} and {lfs.size}", hint=_ASIDE)
    return File(next(iter(sizes), None), digest)


def time_of(text: str, where: str) -> datetime:
    """Read a time as the hub writes it; in UTC. Raises NetworkError."""
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NetworkError(f"{where}: the hub's time is {text[:40]!r}", hint=_ASIDE) from None


def file_url(repo: str, commit: str, path: str) -> str:
    """Return where a file is read; the hub redirects from there to its storage."""
    return f"{endpoint()}/{repo}/resolve/{commit}/{quote(path)}"


def _api(repo: str) -> str:
    return f"{endpoint()}/api/models/{repo}"


def _get(where: str, repo: str, rev: str) -> tuple[bytes, str | None]:
    """Return a body, and where the next page of it is."""
    try:
        body, headers = http.get_bytes(where, {"Accept": "application/json"}, authorization=authorization())
    except http.Refused as error:
        raise explained(error, endpoint(), repo, rev) from None
    link = _NEXT.search(headers.get("link", ""))
    return body, link and link[1]


def _pages(kind: Any, where: str, repo: str, rev: str) -> Iterator[Any]:
    """Yield the pages of a list. Only the hub itself is asked for more, for it gets the token."""
    seen, at = {where}, where
    while True:
        body, link = _get(at, repo, rev)
        yield _checked(kind, body, where)
        if link is None:
            return
        try:
            at = http.check_url(urljoin(at, link))
            astray = http.origin_of(at) != http.origin_of(where) or at in seen or len(seen) >= MOST_PAGES
        except (ValueError, UsageError):
            astray = True
        if astray:
            raise NetworkError(f"{where}: the hub says that its list goes on where it can't", hint=_ASIDE)
        seen.add(at)


def _checked(kind: Any, body: bytes, where: str) -> Any:
    try:
        return _adapter(kind).validate_json(body, strict=True)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in error.errors(include_input=False)
        ]
        said = "; ".join(fault[:200] for fault in faults[:3])
        raise NetworkError(f"{where}: the hub's answer is not as it must be: {said}", hint=_ASIDE) from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
