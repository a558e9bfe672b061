"""Models of Hugging Face: ``hf://ORG/NAME[@REVISION]:QUANT``, or ``/FILE`` instead of the quant.

A revision is a branch, a tag or a commit (``main`` by default; a slash in it is written ``%2F``); the lock names the commit. Locking takes
one request: the hub publishes sizes and sha256. Private and gated models need a token (``HF_TOKEN``, or a login by another tool);
``HF_ENDPOINT`` names another hub, and files in the Hugging Face cache are taken from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pipeline.core import http
from pipeline.core.errors import NetworkError, NotThere, UsageError
from pipeline.spec.sources import _hf_api as api
from pipeline.spec.sources._base import Blob, Resolved, Stream, too_new
from pipeline.spec.sources._hf_errors import explained
from pipeline.spec.sources._hf_local import authorization, cached, endpoint
from pipeline.spec.sources._hf_reference import EXAMPLE as EXAMPLE
from pipeline.spec.sources._hf_reference import Reference, is_commit, parse, pinned, safe
from pipeline.spec.sources._quant import Picked, is_weights, listed, pick_quant, whole_set
from pipeline.spec.sources._splits import split_set
from pipeline.spec.sources._web import WebFile
from pipeline.spec.sources.file import LocalFile

SCHEMES = ("hf",)
LOCAL = False


def check(reference: str) -> None:
    """Refuse what names no repository, and in it no file or quant; and paths that could lead anywhere."""
    split_set(parse(reference).path)


def resolve(reference: str, *, folder: Path, root: Path, before: datetime | None = None) -> Resolved:
    """Ask the hub for the commit, and there for the sizes and digests of the files that are meant."""
    wanted = parse(reference)
    found = api.info(wanted.repo, wanted.rev)
    published = api.time_of(found.lastModified, found.id) if found.lastModified else None
    if before is not None and (published is None or published > before):
        commit, published = _as_of(wanted, found.sha, before)
        too_new(reference, published, before)
        found = found if commit == found.sha else api.info(wanted.repo, commit)
    picked, files = _pick(wanted, found)
    blobs = [_blob(found, path, files[path]) for path in picked.paths]
    license = _license(found)
    return Resolved(
        blobs[0].url,
        (blobs[0], *(replace(blob, role="shard") for blob in blobs[1:])),
        picked.rule,
        license,
        "hf:cardData.license" if license else "",
        found.gated not in (False, None),
        published,
    )


def open(url: str, *, root: Path) -> HubFile | LocalFile:
    """Return the file, from the cache of other Hugging Face tools if it is there. Only a commit is taken for a revision: all else moves."""
    wanted = parse(url)
    if not is_commit(wanted.rev) or not wanted.path:
        raise UsageError(f"{url} is not pinned", hint="hf://ORG/NAME@COMMIT/FILE is, with all 40 digits of the commit")
    hub = HubFile(wanted)
    path = cached(wanted.repo, wanted.rev, wanted.path)
    return CachedFile(path, otherwise=hub) if path else hub


@dataclass(frozen=True)
class CachedFile(LocalFile):
    """A file in the cache of other tools. ``otherwise`` is the same at the hub, for when the cached bytes are not the right ones."""

    otherwise: HubFile | None = None


class HubFile(WebFile):
    """A file of the hub. Its token goes to the hub alone, not to the storage that it redirects to."""

    def __init__(self, wanted: Reference) -> None:
        super().__init__(api.file_url(wanted.repo, wanted.rev, wanted.path), authorization)
        self._wanted = wanted

    @contextmanager
    def read(self, start: int = 0, end: int | None = None) -> Iterator[Stream]:
        """Read a range. A refusal is told in the hub's terms."""
        with ExitStack() as stack:
            try:
                stream = stack.enter_context(super().read(start, end))
            except http.Refused as error:
                wanted = self._wanted
                raise explained(error, endpoint(), wanted.repo, wanted.rev, wanted.path) from None
            yield stream


def _as_of(wanted: Reference, commit: str, before: datetime) -> tuple[str, datetime | None]:
    """Return the newest commit of a branch that is not after ``before``, with its time. What is no branch is one commit, whatever
    its time; so is a branch that has none so old.

    A history is asked because the hub may tell the time of another branch for a model's last change.
    """
    newest = None
    for one, date in api.commits(wanted.repo, wanted.rev):
        if date <= before:
            return one, date
        if newest is None:
            newest = date
            if one == wanted.rev or not api.is_branch(wanted.repo, wanted.rev):
                break
    return commit, newest


def _pick(wanted: Reference, found: api.Info) -> tuple[Picked, dict[str, api.File]]:
    """Return which files are meant, and what is known of each. The tree tells what the model's description leaves out."""
    where = f"{found.id} at {found.sha}"
    if found.siblings:
        files = _those(wanted, found.siblings, where)
        picked = _picked(wanted, files, where)
        if all(files[path].digest and files[path].size is not None for path in picked.paths):
            return picked, files
    files = _those(wanted, api.tree(found.id, found.sha), where)
    return _picked(wanted, files, where), files


def _those(wanted: Reference, listing: Iterable[api.Sibling], where: str) -> dict[str, api.File]:
    """Return the files that may be meant; no others are kept, for there may be very many."""
    files: dict[str, api.File] = {}
    for entry in listing:
        path = entry.rfilename
        if path == wanted.path or path.endswith((".gguf", ".GGUF")):
            if path in files:
                raise NetworkError(f"{where}: the hub lists {path[:200]!r} twice", hint="no such file is ever fetched")
            files[path] = api.file_of(entry, where)
    return files


def _picked(wanted: Reference, files: dict[str, api.File], where: str) -> Picked:
    if wanted.quant:
        return pick_quant(files, wanted.quant, where)
    if wanted.path not in files:
        models = listed(sorted(path for path in files if is_weights(path)))
        hint = f"its models are: {models}" if models else "it holds no GGUF file: look for a repository that does"
        raise NotThere(f"{where}: no file {wanted.path}", hint=hint)
    return Picked(whole_set(set(files), wanted.path, where))


def _blob(found: api.Info, path: str, known: api.File) -> Blob:
    safe(path, found.id)
    if known.size is None:
        raise NetworkError(f"{found.id}: the hub does not say how large {path} is", hint="try another revision")
    return Blob(Path(path).name, pinned(found.id, found.sha, path), known.size, known.digest)


def _license(found: api.Info) -> str | None:
    """Return the licence of the model's card, in lower case; of several, all at once."""
    said = found.cardData.license if found.cardData else None
    license = " and ".join(said) if isinstance(said, list) else said or ""
    if found.cardData and license.lower() == "other" and found.cardData.license_name is not None:
        license = str(found.cardData.license_name)
    license = license.strip().lower()
    if not license.isprintable() or len(license) > 200:
        raise NetworkError(f"{found.id}: its licence is no name: {license[:200]!r}", hint="see the model's page")
    return license or None
