"""Models in OCI registries: ``oci://HOST/REPOSITORY[:TAG][@sha256:…]``. Without a tag or digest, the tag is ``latest``.

Docker's model artifacts, those of the CNCF's ModelPack, and plain ones with a layer titled ``….gguf``; the layer must be the file itself,
not a tar of it. An index is followed where one of its manifests is a model. Logins are those of ``docker login``
(``$REGISTRY_AUTH_FILE``, ``$DOCKER_CONFIG/config.json``, ``~/.docker/config.json``, credential helpers); they are sent to the registry,
and to a token service on the same host or Docker Hub's own. Plain http is for registries on this machine only.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.core.digest import Digest
from pipeline.core.errors import NotThere, UsageError
from pipeline.spec.sources._base import Blob, Resolved, too_new
from pipeline.spec.sources._credentials import DOCKER_HUB
from pipeline.spec.sources._layers import parts_of
from pipeline.spec.sources._logins import Login
from pipeline.spec.sources._registry import (
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

SCHEMES = ("oci",)
EXAMPLE = "oci://registry.example.org/models/tiny:1.0"
LOCAL = False
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MODEL_CONFIG = re.compile(
    r"application/vnd\.(?:docker\.ai\.model\.config\.v0\.[0-9]+|(?:cncf|cnai)\.model\.config\.v1)\+json"
)
_MOST_OF_INDEX = 16


@dataclass(frozen=True)
class Place:
    """A reference, read. ``host`` is ``docker.io`` for Docker Hub."""

    host: str
    repository: str
    tag: str
    digest: Digest | None

    @property
    def base(self) -> str:
        return f"oci://{self.host}/{self.repository}"


def check(reference: str) -> None:
    """Refuse what is no reference."""
    _place(reference)


def resolve(reference: str, *, folder: Path, root: Path, before: datetime | None = None) -> Resolved:
    """Read the manifest and the model's config; no layer is transferred."""
    place = _place(reference)
    repository = _repository(place.host, place.repository)
    manifest = _manifest(repository, place.digest, place.tag)
    manifest, rule = _of_index(repository, manifest) if manifest.manifests is not None else (manifest, "")
    parts, more = parts_of(manifest)
    config = _config(repository, manifest)
    license, license_from = _license(config, manifest)
    described = config.get("descriptor")
    said = described if isinstance(described, dict) else {}
    stamps = (
        said.get("createdAt"),
        said.get("created"),
        config.get("created"),
        manifest.annotations.get("org.opencontainers.image.created"),
    )
    published = next((when for stamp in stamps if (when := moment(stamp))), None)
    too_new(reference, published, before)
    return Resolved(
        f"{place.base}@{manifest.digest}",
        tuple(
            Blob(part.name, f"{place.base}@{part.layer.digest}", part.layer.size, part.layer.digest, part.role)
            for part in parts
        ),
        rule="; ".join(filter(None, (rule, more))),
        license=license,
        license_from=license_from,
        published=published,
    )


def open(url: str, *, root: Path) -> BlobFile:
    """Return the blob at ``oci://HOST/REPOSITORY@sha256:…``."""
    place = _place(url)
    if not place.digest or place.tag:
        raise UsageError(f"{url} is not pinned to a file's digest", hint="the lock was changed by hand: lock again")
    return _repository(place.host, place.repository).file(place.digest)


def _place(reference: str) -> Place:
    """Read a reference. Raises UsageError."""
    scheme, slashes, rest = reference.partition("://")
    if scheme != "oci" or not slashes:
        raise UsageError(f"{reference!r} is no OCI reference", hint=f"write for instance {EXAMPLE}")
    rest, at, pinned = rest.partition("@")
    digest = pinned_digest(pinned, reference) if at else None
    host, _, name = rest.partition("/")
    name, colon, tag = name.partition(":")
    host = host.lower()
    if not _HOST.fullmatch(host) or ".." in host:
        raise UsageError(f"{reference!r} names no registry", hint=f"write its host first, as in {EXAMPLE}")
    api_of(host)
    if not _REPOSITORY.fullmatch(name) or len(name) > 255:
        hint = f"lower case letters, digits and . _ - between slashes, as in {EXAMPLE}"
        raise UsageError(f"{reference!r}: {name!r} is no name of a repository", hint=hint)
    if colon and not _TAG.fullmatch(tag):
        raise UsageError(f"{reference!r}: {tag!r} is no tag", hint="a tag is letters, digits and . _ -")
    if host in _HUB:
        host, name = DOCKER_HUB, name if "/" in name else f"library/{name}"
    return Place(host, name, tag, digest)


@lru_cache(maxsize=1024)
def _repository(host: str, name: str) -> Repository:
    """Return the one repository of this name, so that all its files share one login."""
    api = f"{api_of('registry-1.docker.io' if host == DOCKER_HUB else host)}/{name}"
    return Repository(f"oci://{host}/{name}", api, Login(host, name, api))


def _manifest(repository: Repository, digest: Digest | None, tag: str = "") -> Manifest:
    """Return a manifest or an index, for a digest or a tag; a digest beats the tag beside it."""
    asked = str(digest) if digest else tag or "latest"
    shown = f"{repository.shown}{'@' if digest else ':'}{asked}"
    content, headers = repository.manifest(asked, (*_MANIFESTS, *_INDEXES))
    if digest:
        matches(content, digest, shown)
        headers = {name: value for name, value in headers.items() if name != "docker-content-digest"}
    return read_manifest(content, headers, shown)


def _of_index(repository: Repository, index: Manifest) -> tuple[Manifest, str]:
    """Return the one manifest of an index that is a model. Raises NotThere that lists them when there are several."""
    listed = [
        one
        for one in index.manifests or ()
        if one.media_type in _MANIFESTS
        and "vnd.docker.reference.type" not in one.annotations
        and one.platform != "unknown/unknown"
    ]
    if len(listed) > _MOST_OF_INDEX:
        raise NotThere(f"{index.shown} is an index of {len(listed)} manifests", hint="name one of them by @sha256:…")
    found: list[tuple[Descriptor, Manifest]] = []
    refusals: list[UsageError] = []
    for one in listed:
        manifest = _manifest(repository, one.digest)
        try:
            parts_of(manifest)
        except UsageError as error:
            refusals.append(error)
        else:
            found.append((one, manifest))
    if len(found) == 1:
        return found[0][1], f"the one model of an index of {len(index.manifests or ())}"
    if not found and len(refusals) == 1:
        raise refusals[0]
    if not found:
        raise NotThere(f"{index.shown} is an index without a model in it", hint="name a manifest by @sha256:…")
    names = ", ".join(f"{one.digest}{f' ({one.platform})' if one.platform else ''}" for one, _ in found)
    raise NotThere(f"{index.shown} is an index of several models: {names}", hint="name one of them by @sha256:…")


def _config(repository: Repository, manifest: Manifest) -> dict[str, Any]:
    """Return the config of a model's artifact; of others nothing is known."""
    if not manifest.config or not _MODEL_CONFIG.fullmatch(manifest.config.media_type):
        return {}
    content = repository.blob(manifest.config)
    try:
        config = json.loads(content)
    except (ValueError, RecursionError):
        raise NotThere(f"{manifest.shown}: its config is no JSON", hint="is it a model?") from None
    return config if isinstance(config, dict) else {}


def _license(config: dict[str, Any], manifest: Manifest) -> tuple[str | None, str]:
    described = config.get("descriptor")
    listed = described.get("licenses") if isinstance(described, dict) else None
    first = listed[0] if isinstance(listed, list) and listed else None
    if isinstance(first, str) and (name := _spdx(first)):
        return name, "oci:config.descriptor.licenses"
    noted = "org.opencontainers.image.licenses"
    if name := _spdx(manifest.annotations.get(noted, "")):
        return name, f"oci:annotations.{noted}"
    return None, ""


def _spdx(text: str) -> str | None:
    name = text.strip().lower()
    return name if name and name.isprintable() and len(name) <= 100 else None
