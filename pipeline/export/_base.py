"""What a format is: a module that writes a locked model down as text, or into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, cast

from pipeline.airgap.layout import Blob, Packed
from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, UsageError
from pipeline.core.kinds import discover
from pipeline.core.progress import Progress
from pipeline.lock.model import LockedFile

_MOST_TEXT = 16 << 20


class TextFormat(Protocol):
    """A module of this package whose ``FOLDER`` is False."""

    FOLDER: bool

    def render(self, model: Packed) -> str:
        """Return the model as text: the same lock, the same text. Raises DigestMismatch for a file that it needs and isn't there."""


class FolderFormat(Protocol):
    """A module of this package whose ``FOLDER`` is True."""

    FOLDER: bool

    def write(self, model: Packed, folder: Path, progress: Progress) -> None:
        """Write the model into a folder that is empty or isn't there."""


def exports() -> dict[str, TextFormat | FolderFormat]:
    """Return the formats by name: that of the module, with dashes."""
    found = discover("pipeline.export")
    return {name.replace("_", "-"): cast(TextFormat | FolderFormat, module) for name, module in found.items()}


def export_of(name: str) -> TextFormat | FolderFormat:
    """Return one format. Raises UsageError with those that there are."""
    known = exports()
    if name not in known:
        raise UsageError(f"no format {name!r} to export to", hint=f"one of: {', '.join(known)}")
    return known[name]


def text_of(model: Packed, file: LockedFile) -> str:
    """Return a small text file of a model, checked. Raises DigestMismatch when it isn't there or is another, UsageError for no text."""
    blob = next(layer.blob for layer in model.layers if layer.blob.digest == file.digest)
    if blob.size > _MOST_TEXT:
        raise UsageError(f"{file.path} is too large for a text", hint="is it what the lock says?")
    content = b"".join(Blob.pieces(blob))
    if Digest.of(content) != file.digest:
        raise DigestMismatch(f"{blob.content!s}: not the bytes of {file.digest}", hint="run assay verify --deep")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{file.path} is no UTF-8 text", hint="is it what the lock says?") from None
