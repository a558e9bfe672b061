"""Registries over HTTP: manifests whose bytes are hashed here, descriptors that are believed only as far as they can be checked, and
blobs as files that are read in ranges. OCI registries and Ollama's have this in common.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline.core import http
from pipeline.core.digest import Digest
from pipeline.core.errors import AssayError, DigestMismatch, Gated, Gone, NetworkError, UsageError
from pipeline.spec.sources._base import Stream
from pipeline.spec.sources._logins import Login
from pipeline.spec.sources._web import WebFile

MOST_MANIFEST = 4 << 20
MOST_BLOB = 1 << 44  # 16 TiB: no model is larger, a lie is
_MOST_LAYERS = 10_000


@dataclass(frozen=True)
class Descriptor:
    """What a manifest claims of one blob or manifest. ``path`` is the file's name as its packer wrote it: hostile until checked."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str = ""
    platform: str = ""


@dataclass(frozen=True)
class Manifest:
    """A manifest and the digest of its very bytes. One of ``layers`` and ``manifests`` (of an index) is empty."""

    shown: str
    digest: Digest
    media_type: str
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Repository:
    """One repository. ``api`` is ``https://host/v2/name``, ``shown`` its name for people; ``login`` is None where nobody logs in."""

    shown: str
    api: str
    login: Login | None = None

    def manifest(self, reference: str, accept: Sequence[str], method: str = "GET") -> tuple[bytes, Mapping[str, str]]:
        """Return the bytes and headers of the manifest for a tag or digest. Raises UsageError, NetworkError."""
        url = f"{self.api}/manifests/{reference}"
        return self._get(url, {"Accept": ", ".join(accept)}, MOST_MANIFEST, f"{self.shown}:{reference}", method)

    def blob(self, wanted: Descriptor, most: int = MOST_MANIFEST) -> bytes:
        """Return a small blob, checked. Raises DigestMismatch when it is another, UsageError, NetworkError."""
        shown = f"{self.shown}@{wanted.digest}"
        if wanted.size > most:
            raise NetworkError(f"{shown}: {wanted.size} bytes are too many for {wanted.media_type}")
        content, _ = self._get(f"{self.api}/blobs/{wanted.digest}", {}, most, shown)
        matches(content, wanted.digest, shown)
        return content

    def file(self, digest: Digest) -> BlobFile:
        """Return a blob to be read in ranges."""
        return BlobFile(self, digest)

    def _get(
        self, url: str, headers: Mapping[str, str], most: int, shown: str, method: str = "GET"
    ) -> tuple[bytes, Mapping[str, str]]:
        def once() -> tuple[bytes, Mapping[str, str]]:
            known = self.login.header() if self.login else None
            with http.get(url, headers, authorization=known, method=method, shown=shown) as response:
                return b"" if method == "HEAD" else response.read(most), response.headers

        try:
            return http.persist(lambda: self.login.asked(once) if self.login else once())
        except http.Refused as error:
            raise self.refused(error, shown) from None

    def refused(self, error: http.Refused, shown: str) -> AssayError:
        """Return what a user must hear of a refusal, by the registry's own error code."""
        code = _code(error.body)
        if error.status == 404 or code in ("NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"):
            what, hint = _UNKNOWN.get(code, ("the registry does not have it", "is the name right?"))
            return Gone(f"{shown}: {what}", hint=hint)
        if error.status in (401, 403) or code in ("DENIED", "UNAUTHORIZED"):
            said = f"{shown}: the registry refuses access ({error.status}{' ' + code if code else ''})"
            if not self.login:
                hint = "signing in with a key of Ollama is not supported: only public models can be locked"
            else:
                hint = f"is the name right? for a private one, run docker login {self.login.host}"
            return Gated(said, hint=hint)
        return error


class BlobFile:
    """A blob as a file: a WebFile that logs in when it is asked to."""

    def __init__(self, repository: Repository, digest: Digest) -> None:
        self._repository, self._shown = repository, f"{repository.shown}@{digest}"
        login = repository.login
        url = f"{repository.api}/blobs/{digest}"
        self._file = WebFile(url, login.header) if login else WebFile(url)
        self.parallel = self._file.parallel

    @contextmanager
    def read(self, start: int = 0, end: int | None = None) -> Iterator[Stream]:
        """Read a range."""
        with ExitStack() as stack:

            def once() -> Stream:
                return stack.enter_context(self._file.read(start, end))

            login = self._repository.login
            try:
                stream = login.asked(once) if login else once()
            except http.Refused as error:
                raise self._repository.refused(error, self._shown) from None
            yield stream


_UNKNOWN = {
    "NAME_UNKNOWN": ("there is no such repository", "is the name right? a private one may hide so: docker login"),
    "MANIFEST_UNKNOWN": ("there is no such tag or digest", "is the tag right? it may have been removed"),
    "BLOB_UNKNOWN": ("the registry has the manifest, but lost this file", "pin another version, or add a mirror"),
}


def _code(body: bytes) -> str:
    """Return the first error code of a registry's answer, if it is one that we know."""
    try:
        code = json.loads(body)["errors"][0]["code"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return code if code in (*_UNKNOWN, "DENIED", "UNAUTHORIZED", "TOOMANYREQUESTS", "UNSUPPORTED") else ""


def matches(content: bytes, wanted: Digest, shown: str) -> None:
    """Raise DigestMismatch unless ``content`` is what was asked for."""
    if (got := Digest.of(content)) != wanted:
        hint = "the registry, or something on the way to it, changes what it sends: use another one"
        raise DigestMismatch(f"{shown}: asked for {wanted}, got {got}", hint=hint)


def read_manifest(content: bytes, headers: Mapping[str, str], shown: str) -> Manifest:
    """Read the bytes of a manifest or an index. Raises NetworkError for what is none, DigestMismatch when the registry itself says
    that its body should be another.
    """
    said = headers.get("docker-content-digest", "")
    if said.startswith("sha256:") and said != str(Digest.of(content)):
        hint = "something on the way changes what the registry sends"
        raise DigestMismatch(f"{shown}: the registry says {said[:80]}, it sent {Digest.of(content)}", hint=hint)
    try:
        raw = json.loads(content)
    except (ValueError, RecursionError):
        raise _malformed(shown, "no JSON") from None
    if not isinstance(raw, dict):
        raise _malformed(shown, "no JSON object")
    if raw.get("schemaVersion") != 2:
        hint = "push it again with a tool of this decade" if raw.get("schemaVersion") == 1 else ""
        raise _malformed(shown, f"of schemaVersion {raw.get('schemaVersion')!r}, not 2", hint)
    media_type = raw.get("mediaType") or headers.get("content-type", "").partition(";")[0].strip()
    config, layers, manifests = raw.get("config"), raw.get("layers"), raw.get("manifests")
    if manifests is None and not isinstance(layers, list):
        raise _malformed(shown, "without layers")
    listed = layers if manifests is None else manifests
    if not isinstance(listed, list) or len(listed) > _MOST_LAYERS:
        raise _malformed(shown, "without a list of what it holds")
    parts = tuple(_descriptor(part, f"{shown}, entry {number}") for number, part in enumerate(listed, 1))
    return Manifest(
        shown,
        Digest.of(content),
        media_type if isinstance(media_type, str) else "",
        None if config is None or manifests is not None else _descriptor(config, f"{shown}, config"),
        parts if manifests is None else (),
        None if manifests is None else parts,
        _texts(raw.get("annotations")),
        headers,
    )


def _descriptor(raw: Any, shown: str) -> Descriptor:
    if not isinstance(raw, dict):
        raise _malformed(shown, "no descriptor")
    size, platform = raw.get("size"), raw.get("platform")
    try:
        digest = Digest.parse(raw.get("digest", ""))
    except ValueError as error:
        raise _malformed(shown, str(error), "only sha256 is supported") from None
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MOST_BLOB:
        raise _malformed(shown, f"size {str(size)[:40]} is no size of a file")
    system = _texts(platform)
    return Descriptor(
        _text(raw.get("mediaType")),
        digest,
        size,
        _texts(raw.get("annotations")),
        _text(raw.get("artifactType")),
        "/".join(filter(None, (system.get("os"), system.get("architecture"), system.get("variant")))),
    )


def _malformed(shown: str, said: str, hint: str = "") -> NetworkError:
    return NetworkError(f"{shown}: malformed manifest: {said}", hint=hint or "is this a registry?")


def _text(raw: Any) -> str:
    return raw if isinstance(raw, str) else ""


def _texts(raw: Any) -> dict[str, str]:
    return {key: value for key, value in raw.items() if isinstance(value, str)} if isinstance(raw, dict) else {}


def moment(text: object) -> datetime | None:
    """Return a time as RFC 3339 writes it, or Unix seconds; None for anything else."""
    try:
        if isinstance(text, str) and text.isascii() and text.isdigit():
            return datetime.fromtimestamp(int(text), UTC)
        when = datetime.fromisoformat(text) if isinstance(text, str) else None
        return when and (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def api_of(host: str) -> str:
    """Return ``https://HOST/v2``, for this machine ``http``. Raises UsageError for what is no host."""
    name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
    scheme = "http" if http.is_loopback(name.strip("[]")) else "https"
    return http.check_url(f"{scheme}://{host}/v2")


def pinned_digest(text: str, reference: str) -> Digest:
    """Read the part behind the ``@`` of a reference. Raises UsageError, which repeats no password."""
    if "/" in text and not text.startswith("sha"):
        hint = "a spec and its lock are public: leave it out, and run docker login"
        raise UsageError("a reference must not hold a user name or password", hint=hint)
    try:
        return Digest.parse(text)
    except ValueError as error:
        hint = "behind the @ stands sha256: and 64 lower-case hex digits"
        raise UsageError(f"{reference}: {error}", hint=hint) from None
