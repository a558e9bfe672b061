"""Models of Ollama: ``ollama://[HOST/][NAMESPACE/]MODEL[:TAG]``, by default of ``registry.ollama.ai``, ``library`` and ``latest``.

A model is its GGUF file and what Ollama keeps beside it: template, system prompt, parameters, licence, config; all of it is locked. An
Ollama registry gives no manifest by its digest, so each file is fetched by its own. What the local store of Ollama has
(``$OLLAMA_MODELS``, ``~/.ollama/models``) is read from there, unless its bytes are others than its name says.
``ollama+local://`` names a model of that store alone, for those that no registry has. Only public models: signing in is not supported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path, PurePosixPath

from pipeline.core.digest import Digest
from pipeline.core.errors import NetworkError, NotThere, UsageError
from pipeline.spec.sources._base import Blob, Resolved, Role, Stream, too_new
from pipeline.spec.sources._licenses import license_of
from pipeline.spec.sources._registry import (
    MOST_MANIFEST,
    BlobFile,
    Descriptor,
    Manifest,
    Repository,
    api_of,
    matches,
    moment,
    pinned_digest,
    read_manifest,
)
from pipeline.spec.sources.file import LocalFile

SCHEMES = ("ollama", "ollama+local")
EXAMPLE = "ollama://qwen3:0.6b"
LOCAL = False
_ACCEPT = ("application/vnd.docker.distribution.manifest.v2+json",)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_HF = ("hf.co", "huggingface.co")
_LAYER = "application/vnd.ollama.image."
# Role, and what the file is called in a lock; weights are called after the model.
_ROLES: dict[str, tuple[Role, str]] = {
    "model": ("weights", ""),
    "adapter": ("lora", "lora.gguf"),
    "projector": ("mmproj", "mmproj.gguf"),
    "template": ("template", "template"),
    "prompt": ("template", "template"),
    "system": ("system", "system"),
    "params": ("params", "params.json"),
    "messages": ("messages", "messages.json"),
    "license": ("license", "license"),
}
_MOST_LICENSE = 1 << 20


@dataclass(frozen=True)
class Place:
    """A reference, read: with a tag, or pinned."""

    scheme: str
    host: str
    namespace: str
    model: str
    tag: str
    digest: Digest | None

    @property
    def base(self) -> str:
        return f"{self.scheme}://{self.host}/{self.namespace}/{self.model}"

    @property
    def local(self) -> bool:
        return self.scheme == "ollama+local"


def check(reference: str) -> None:
    """Refuse what is no name of a model, and digests, which an Ollama registry can't be asked for."""
    place = _place(reference)
    if place.digest:
        hint = (
            "name a tag; what it is now is kept in the lock, and sha256: in the spec holds the weights to what you know"
        )
        raise UsageError(f"{reference}: an Ollama registry can't be asked for a digest", hint=hint)


def resolve(reference: str, *, folder: Path, root: Path, before: datetime | None = None) -> Resolved:
    """Read the manifest, and the licence to see which it is. ``before`` is not asked of the local store: the user put it there."""
    check(reference)
    place = _place(reference)
    if place.local:
        manifest = _local_manifest(place)
        published = None
    else:
        repository = _repository(place)
        manifest = read_manifest(*repository.manifest(place.tag, _ACCEPT), f"{place.base}:{place.tag}")
        published = _published(repository, place, manifest) if before else None
        too_new(reference, published, before)
    found, left = _files(place, manifest)
    blobs = tuple(
        Blob(name, f"{place.base}@{layer.digest}", layer.size, layer.digest, role) for role, name, layer in found
    )
    if place.local:
        _all_there(place, blobs)
    license = _license(place, [layer for role, _, layer in found if role == "license"])
    return Resolved(
        f"{place.base}@{manifest.digest}",
        blobs,
        rule=f"left out: {', '.join(left)}" if left else "",
        license=license,
        license_from="ollama:license layer" if license else "",
        published=published,
    )


def open(url: str, *, root: Path) -> BlobFile | LocalFile | Stored:
    """Return the blob at ``ollama://HOST/NAMESPACE/MODEL@sha256:…``, from the local store where that has it."""
    place = _place(url)
    if not place.digest:
        raise UsageError(f"{url} is not pinned to a file's digest", hint="the lock was changed by hand: lock again")
    path = _blob(place.digest)
    there = path.is_file() and os.access(path, os.R_OK)
    if there and place.local:
        return LocalFile(path)
    if place.local:
        hint = (
            f"pull or create {place.model} with Ollama again, then lock again; $OLLAMA_MODELS says where its store is"
        )
        raise UsageError(f"{url}: no readable file {path}", hint=hint)
    remote = _repository(place).file(place.digest)
    return Stored(path, place.digest, remote) if there else remote


class Stored:
    """A blob that the local store of Ollama has. Ollama keeps what it once downloaded, broken or not: where the bytes are not what the
    file's name says, the registry is read instead.
    """

    def __init__(self, path: Path, digest: Digest, remote: BlobFile) -> None:
        self._file, self._digest, self._remote = LocalFile(path), digest, remote
        self._broken = False
        self.parallel = remote.parallel

    @cached_property
    def path(self) -> Path | None:
        """The file, for a store to take by a link or a copy; it is hashed first. None when its bytes are others."""
        try:
            self._broken = Digest.of_file(self._file.path) != self._digest
        except OSError:
            self._broken = True
        return None if self._broken else self._file.path

    def read(self, start: int = 0, end: int | None = None) -> AbstractContextManager[Stream]:
        """Read a range."""
        return (self._remote if self._broken else self._file).read(start, end)


def _place(reference: str) -> Place:
    """Read a reference by Ollama's own rules of names. Raises UsageError."""
    scheme, slashes, rest = reference.partition("://")
    if scheme not in SCHEMES or not slashes:
        raise UsageError(f"{reference!r} is no Ollama reference", hint=f"write for instance {EXAMPLE}")
    rest, at, pinned = rest.partition("@")
    digest = pinned_digest(pinned, reference) if at else None
    *places, last = rest.split("/")
    model, colon, tag = last.partition(":")
    *hosts, namespace = places or ["library"]
    host = hosts[0].lower() if hosts else "registry.ollama.ai"
    if not _NAME.fullmatch(model) or not _NAMESPACE.fullmatch(namespace) or len(hosts) > 1:
        hint = f"write [HOST/][NAMESPACE/]MODEL[:TAG], for instance {EXAMPLE}"
        raise UsageError(f"{reference!r} names no model", hint=hint)
    if colon and (digest or not _NAME.fullmatch(tag)):
        raise UsageError(f"{reference!r}: {tag!r} is no tag", hint=f"write for instance {EXAMPLE}")
    if not _HOST.fullmatch(host) or ".." in host:
        raise UsageError(f"{reference!r}: {host!r} is no host", hint=f"write for instance {EXAMPLE}")
    if host in _HF and scheme == "ollama":
        hint = f"write hf://{namespace}/{model}{colon}{tag}, which pins the commit"
        raise UsageError(f"{reference!r} is a model of Hugging Face", hint=hint)
    api_of(host)
    return Place(scheme, host, namespace, model, tag or "latest", digest)


def _repository(place: Place) -> Repository:
    return Repository(place.base, f"{api_of(place.host)}/{place.namespace}/{place.model}")


def _published(repository: Repository, place: Place, manifest: Manifest) -> datetime | None:
    """Return when the tag was pushed; the registry of Ollama tells that to HEAD alone, and only of what the tag is now."""
    _, said = repository.manifest(place.tag, _ACCEPT, method="HEAD")
    if said.get("ollama-content-digest", manifest.digest.hex).removeprefix("sha256:") != manifest.digest.hex:
        raise NetworkError(f"{manifest.shown} has moved just now", hint="run the command again", transient=True)
    return moment(said.get("ollama-push-time"))


def _files(place: Place, manifest: Manifest) -> tuple[list[tuple[Role, str, Descriptor]], list[str]]:
    """Return the files with roles and names, weights first, and the kinds of layers that are left out."""
    found: list[tuple[Role, str, Descriptor]] = []
    left: set[str] = set()
    for layer in manifest.layers:
        kind = layer.media_type.removeprefix(_LAYER) if layer.media_type.startswith(_LAYER) else ""
        if kind in _ROLES:
            role, name = _ROLES[kind]
            earlier = sum(role == other for other, _, _ in found)
            found.append((role, _numbered(name or f"{place.model}-{place.tag}.gguf", earlier), layer))
        else:
            left.add(kind[:60] if kind and kind.isprintable() else "a layer of no known type")
    weights = [one for one in found if one[0] == "weights"]
    if not weights:
        what = "its weights are no GGUF file" if "tensor" in left else "it has no layer of weights"
        raise NotThere(f"{manifest.shown}: {what}", hint="name a tag whose model is a GGUF file")
    if len(weights) > 1:
        listed = ", ".join(str(layer.digest) for _, _, layer in weights)
        raise NotThere(f"{manifest.shown} has several files of weights: {listed}", hint="name another tag")
    if manifest.config:
        found.append(("config", "config.json", manifest.config))
    return [*weights, *(one for one in found if one[0] != "weights")], sorted(left)


def _numbered(name: str, earlier: int) -> str:
    """Return ``lora.2.gguf`` for a second ``lora.gguf``. Names of weights have a dash, so no name is met twice."""
    path = PurePosixPath(name)
    return f"{path.stem}.{earlier + 1}{path.suffix}" if earlier else name


def _license(place: Place, layers: Sequence[Descriptor]) -> str | None:
    """Return the licence's SPDX id where its text begins as one that we know."""
    return next((name for text in _texts(place, layers) if (name := license_of(text))), None)


def _texts(place: Place, layers: Sequence[Descriptor]) -> Iterator[str]:
    for layer in layers[:4]:
        if layer.size > _MOST_LICENSE:
            continue
        if place.local:
            content = _read(_blob(layer.digest), _MOST_LICENSE)
            matches(content, layer.digest, f"{place.base}@{layer.digest}")
        else:
            content = _repository(place).blob(layer, _MOST_LICENSE)
        yield content.decode(errors="replace")


def _store() -> Path:
    folder = os.environ.get("OLLAMA_MODELS")
    return Path(folder) if folder else Path.home() / ".ollama" / "models"


def _blob(digest: Digest) -> Path:
    return _store() / "blobs" / f"sha256-{digest.hex}"


def _local_manifest(place: Place) -> Manifest:
    path = _store() / "manifests" / place.host / place.namespace / place.model / place.tag
    return read_manifest(_read(path, MOST_MANIFEST), {}, str(path))


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        hint = "`ollama list` names what the local store has; $OLLAMA_MODELS says where it is"
        kind = NotThere if isinstance(error, FileNotFoundError) else UsageError
        raise kind(f"can't read {path}: {error.strerror}", hint=hint) from None
    if len(content) > most:
        raise UsageError(f"{path} is larger than {most >> 20} MiB", hint="is this a store of Ollama?")
    return content


def _all_there(place: Place, blobs: Sequence[Blob]) -> None:
    for blob in blobs:
        assert blob.digest
        path = _blob(blob.digest)
        if not path.is_file() or path.stat().st_size != blob.size:
            hint = f"its pull may have been cut short: ollama pull {place.model}:{place.tag}"
            raise NotThere(f"{path} is missing or has not {blob.size} bytes", hint=hint)
