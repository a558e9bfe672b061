"""Push: models into a repository of an OCI registry, each under its name as the tag. What the registry has is not sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode, urljoin

from pipeline.airgap.layout import MANIFEST_TYPE, Blob, Packed
from pipeline.airgap.media import Format
from pipeline.airgap.wire import wire_layers, wire_manifest
from pipeline.core import http
from pipeline.core.errors import DigestMismatch, NetworkError, UsageError
from pipeline.core.progress import SILENT, Progress, Task
from pipeline.spec.sources import oci
from pipeline.spec.sources._credentials import DOCKER_HUB
from pipeline.spec.sources._logins import Login
from pipeline.spec.sources._registry import api_of

T = TypeVar("T")


@dataclass(frozen=True)
class Pushed:
    """One model in a registry: ``tagged`` and ``pinned`` are references; new blobs and their bytes."""

    name: str
    tagged: str
    pinned: str
    blobs: int
    size: int


def push(
    models: Sequence[Packed], where: str, format: Format = "modelpack", progress: Progress = SILENT
) -> list[Pushed]:
    """Push models to ``oci://HOST/REPOSITORY``. A model is tagged when all its blobs are there.

    Raises UsageError for what is no repository, NetworkError when the registry refuses, DigestMismatch for a blob that is missing
    or damaged; the registry itself checks every digest too.
    """
    target = _Target(where)
    return [target.model(model, format, progress) for model in models]


class _Target:
    """One repository, written to."""

    def __init__(self, where: str) -> None:
        oci.check(where)
        host, _, name = where.removeprefix("oci://").partition("/")
        if ":" in name or "@" in name:
            hint = (
                f"write oci://{host}/{name.partition(':')[0].partition('@')[0]}: the tags are the names of the models"
            )
            raise UsageError(f"{where} names a tag or a digest", hint=hint)
        if host in ("docker.io", "index.docker.io"):
            host = DOCKER_HUB
        self.where = where
        self._api = f"{api_of('registry-1.docker.io' if host == DOCKER_HUB else host)}/{name}"
        self._login = Login(host, name, self._api, "pull,push")

    def model(self, model: Packed, format: Format, progress: Progress) -> Pushed:
        manifest, config = wire_manifest(model, format)
        blobs = {blob.digest: blob for blob in [config, *(layer.blob for layer in wire_layers(model))]}
        new = [blob for blob in blobs.values() if not self._has(blob)]
        name = model.lock.name
        with progress.task(f"push {name}", sum(blob.size for blob in new), "B") as task:
            for blob in new:
                http.persist(lambda blob=blob: self._upload(blob, task))  # type: ignore[misc]
        headers = {"Content-Type": MANIFEST_TYPE}
        url, content = f"{self._api}/manifests/{name}", b"".join(manifest.pieces())
        http.persist(lambda: self._ask("PUT", url, f"{self.where}:{name}", headers, lambda: content))
        size = sum(blob.size for blob in new)
        return Pushed(name, f"{self.where}:{name}", f"{self.where}@{manifest.digest}", len(new), size)

    def _has(self, blob: Blob) -> bool:
        url, shown = f"{self._api}/blobs/{blob.digest}", f"{self.where}@{blob.digest}"
        try:
            http.persist(lambda: self._ask("HEAD", url, shown))
        except http.Refused as error:
            if error.status == 404:
                return False
            raise
        return True

    def _upload(self, blob: Blob, task: Task) -> None:
        """Send a blob in one request, to the place that the registry names for it."""
        shown = f"{self.where}@{blob.digest}"
        if self._has(blob):  # an attempt that seemed to fail
            return
        place = self._ask("POST", f"{self._api}/blobs/uploads/", shown, {"Content-Length": "0"}, lambda: b"")
        if http.origin_of(place) != http.origin_of(self._api):
            raise NetworkError(f"{shown}: the registry wants the upload on another host", hint="is it behind a proxy?")
        url = f"{place}{'&' if '?' in place else '?'}{urlencode({'digest': str(blob.digest)})}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
        self._ask("PUT", url, shown, headers, lambda: _checked(blob, task))

    def _ask(
        self,
        method: str,
        url: str,
        shown: str,
        headers: dict[str, str] | None = None,
        body: Callable[[], bytes | Iterator[bytes]] | None = None,
    ) -> str:
        """Make a request, logging in when asked to; returns the place that the answer names."""

        def once() -> str:
            known = self._login.header()
            with http.get(
                url, headers, authorization=known, method=method, body=body() if body else None, shown=shown
            ) as response:
                return urljoin(response.at, response.headers.get("location", ""))

        try:
            return self._login.asked(once)
        except http.Refused as error:
            if error.status in (401, 403):
                said = f"{shown}: the registry refuses to be written to ({error.status})"
                raise NetworkError(said, hint=f"run docker login {self._login.host}") from None
            if method != "HEAD" and 400 <= error.status < 500:
                error.message += _said(error.body)
            raise


def _checked(blob: Blob, task: Task) -> Iterator[bytes]:
    """Yield a blob's bytes, and fail before the last of them when they are not what they were."""
    hasher, size, held = hashlib.sha256(), 0, b""
    for piece in blob.pieces():
        size += len(piece)
        hasher.update(piece)
        task.advance(len(piece))
        if held:
            yield held
        held = piece
    if size != blob.size or hasher.hexdigest() != blob.digest.hex:
        raise DigestMismatch(f"{blob.content!s}: not the bytes of {blob.digest}", hint="run assay verify --deep")
    yield held


def _said(body: bytes) -> str:
    text = " ".join(body.decode("utf-8", "replace").split())
    return f": {text[:200]}" if text else ""
