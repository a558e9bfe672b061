"""The lockfile: versioned, canonical, free of clocks and machine paths."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pipeline.core.canonical import digest_of
from pipeline.core.digest import Digest
from pipeline.core.names import fault_of
from pipeline.spec.model import Spec
from pipeline.spec.parts import Sha256
from pipeline.spec.sources._base import Role

LOCK_VERSION: Final = 1
Strings = Annotated[tuple[str, ...], Field(strict=False)]


def _safe(path: str) -> str:
    """Refuse a path that could lead out of the folder in which somebody puts the file."""
    if fault := fault_of(path):
        raise ValueError(f"{path[:100]!r}: {fault}")
    return path


class Part(BaseModel):
    """Every part of a lock: strict and frozen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LockedFile(Part):
    """One blob. ``known`` says how its digest came to be known: ``spec`` (the user wrote it), ``published`` (the origin says so) or
    ``computed`` (learnt from the bytes when the lock was made)."""

    role: Role
    path: Annotated[str, AfterValidator(_safe)]
    size: Annotated[int, Field(ge=0)]
    sha256: Sha256
    urls: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    known: Literal["spec", "published", "computed"]

    @property
    def digest(self) -> Digest:
        return Digest.parse(self.sha256)


class LockedSource(Part):
    """What the spec named, beside what that was when the lock was made. ``rule`` says how the files were picked where there was a
    choice; ``license`` is what the origin declares, and where.
    """

    original: str
    resolved: str
    rule: str | None = None
    published: str | None = None
    gated: bool = False
    license: str | None = None
    license_from: str | None = None


class LockedLicense(Part):
    """The licence and where it was declared (``gguf:general.license`` or ``spec``); None where nowhere."""

    id: str | None
    declared_in: str | None


class LockedEngine(Part):
    """The one llama.cpp that results are valid for."""

    llama_cpp_python: str
    llama_cpp_commit: str
    build_flags: Strings


class LockedSuite(Part):
    """A suite of cases or items, by version and digest of its folder. ``plugins`` are the kinds that other packages bring
    to it, each with package, version and the digest of its code; only where there are any."""

    version: str
    digest: Sha256
    plugins: dict[str, str] | None = None


class LockedReference(Part):
    """The model that this one is compared with: its spec, and the digests of its weights, in order."""

    name: str
    weights: Annotated[tuple[Sha256, ...], Field(strict=False, min_length=1)]


class LockedPrompts(Part):
    """What the engine of a commit makes of a set of conversations: the digests of its prompts, by the conversation's name."""

    llama_cpp_commit: str
    conversations: Sha256
    digests: dict[str, Sha256]


class Lockfile(Part):
    """What one spec came to. ``digest`` is the root of every chain."""

    lock_version: Literal[1]
    name: str
    spec_digest: Sha256
    spec: Spec
    source: LockedSource
    files: Annotated[tuple[LockedFile, ...], Field(strict=False)]
    gguf: dict[str, Any]
    license: LockedLicense
    engine: LockedEngine
    argv: Strings
    suites: dict[str, LockedSuite]
    prompts: LockedPrompts | None = None
    reference: LockedReference | None = None

    @property
    def digest(self) -> Digest:
        """The digest of the whole lock, over its canonical bytes."""
        return digest_of(self.content())

    @property
    def weights(self) -> LockedFile:
        """The file that holds the weights."""
        return next(file for file in self.files if file.role == "weights")

    @property
    def shards(self) -> tuple[LockedFile, ...]:
        """All files of the weights, in order: one, or a split set."""
        return tuple(file for file in self.files if file.role in ("weights", "shard"))

    @property
    def mmproj(self) -> LockedFile | None:
        """The projector of a vision model: the one that the spec names, else the origin's own."""
        return self._last("mmproj")

    @property
    def template(self) -> LockedFile | None:
        """The chat template that overrides the one in the weights: the spec's, else one that the origin has beside them."""
        return self._last("chat_template")

    @property
    def dated_template(self) -> LockedFile | None:
        """The template that was made for the day of the spec's ``chat.date``, where the model's reads the clock."""
        found = self.template
        return found if found and self.spec.chat.date and found.path == f"{self.name}.dated.jinja" else None

    def _last(self, role: Role) -> LockedFile | None:
        """Return the last file of a role: what the spec names stands behind what the origin has."""
        return next((file for file in reversed(self.files) if file.role == role), None)

    def content(self) -> dict[str, Any]:
        """Return the lock as plain JSON: what its file says, without defaults that a later Assay knows and the file doesn't.
        So a lock keeps its digest for ever.
        """
        return self.model_dump(mode="json", exclude_unset=True)
