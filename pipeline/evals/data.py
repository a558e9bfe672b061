"""Where a suite's data lies: beside its ``suite.yaml``, or in an installed Python package, then with its digest."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints

from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, Problem, SpecError, UsageError
from pipeline.spec.load import shown

_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_SHA = r"@sha256:[0-9a-f]{64}"
PATTERN = rf"^({_NAME}({_SHA})?|python:{_NAME}(/{_NAME})+{_SHA})$"
Data = Annotated[str, StringConstraints(pattern=PATTERN)]
LIMIT = 64 << 20


def place(data: str, folder: Path) -> Path:
    """Return the file that ``data`` names: ``items.jsonl`` in ``folder``, or ``python:PACKAGE/PATH@sha256:…``.

    A suite's own files are pinned with its folder; what lies elsewhere is pinned by the digest, which therefore must be
    there. Raises DigestMismatch where the file is another, UsageError where the package is not installed, SpecError where
    the file is missing or larger than ``LIMIT``.
    """
    name, _, wanted = data.partition("@")
    path = _in_package(name.removeprefix("python:")) if name.startswith("python:") else folder / name
    if not path.is_file():
        raise SpecError([Problem(shown(path), 0, 0, "can't be read: no such file")])
    if path.stat().st_size > LIMIT:
        raise SpecError([Problem(shown(path), 0, 0, f"larger than {LIMIT >> 20} MiB", "take a part of it")])
    if wanted and (found := str(Digest.of_file(path))) != wanted:
        hint = "the data is not what the suite was written for: install the version that it names, or restore the file"
        raise DigestMismatch(f"{shown(path)} has digest {found}, the suite wants {wanted}", hint=hint)
    return path


def _in_package(name: str) -> Path:
    package, _, inside = name.partition("/")
    found = importlib.util.find_spec(package) if package.isidentifier() else None  # looks, and imports nothing
    if found is None or not found.submodule_search_locations:
        said = f"the suite's data is in the Python package {package}, which is not installed here"
        raise UsageError(said, hint=f"install it: pip install {package.replace('_', '-')}")
    return Path(found.submodule_search_locations[0], *inside.split("/"))
