"""Sums of the model's files by name, for ``sha256sum --check`` in the folder that they lie in."""

from __future__ import annotations

from pipeline.airgap.layout import Packed

FOLDER = False
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r"})


def render(model: Packed) -> str:
    """Return a line for each file of the lock, weights first."""
    return "".join(_line(file.digest.hex, file.path) for file in model.lock.files)


def _line(hex: str, name: str) -> str:
    """Return a line as coreutils write it, which escape some characters and say so by a backslash in front."""
    escaped = name.translate(_ESCAPES)
    return f"{'' if escaped == name else chr(92)}{hex}  {escaped}\n"
