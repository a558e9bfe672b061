"""What goes along with a model: all that its lock names, its spec and its suites, so that it can be run where there is nothing else."""

from __future__ import annotations

from pathlib import Path

from pipeline.airgap.described import is_attestation, is_safe
from pipeline.airgap.layout import Blob, Layer, Packed
from pipeline.airgap.media import FILEPATH, media_type
from pipeline.core.canonical import digest_of
from pipeline.core.digest import Digest
from pipeline.core.errors import LockOutOfDate, UsageError
from pipeline.core.project import Project
from pipeline.lock.model import Lockfile
from pipeline.store.layout import Store


def gather(
    project: Project, store: Store, lock: Lockfile, results: bytes | None = None, spec_path: Path | None = None
) -> Packed:
    """Return a model with its files (from the store, not read yet), its spec (``specs/NAME.yaml`` unless it is elsewhere), its
    suites, attestations and results.

    Raises LockOutOfDate when a suite is not the locked one, UsageError for a path that not every system takes.
    """
    layers = [
        Layer(
            file.role,
            file.path,
            media_type(file.role),
            Blob(file.digest, file.size, store.path(file.digest)),
            {FILEPATH: file.path},
        )
        for file in lock.files
    ]
    spec = Blob.of((spec_path or project.specs / f"{lock.name}.yaml").read_bytes())
    layers.append(Layer("spec", f"specs/{lock.name}.yaml", "application/yaml", spec))
    for name in sorted(lock.suites):
        layers += _suite(project.suites / name, name, lock)
    layers += _attestations(project.attestations / lock.name, lock.name)
    if results is not None:
        layers.append(Layer("results", "results.json", "application/json", Blob.of(results)))
    return Packed(lock, tuple(layers))


def _attestations(folder: Path, name: str) -> list[Layer]:
    """Return what ``assay attest`` has written. Whether it holds is asked where it arrives: ``assay verify --require-signed``."""
    return [
        Layer("attestation", f"attestations/{name}/{path.name}", "application/json", Blob.of(path.read_bytes()))
        for path in sorted(folder.glob("*"))
        if is_attestation(path.name) and path.is_file()
    ]


def _suite(folder: Path, name: str, lock: Lockfile) -> list[Layer]:
    """Return the files of a suite: those that its digest is of."""
    found: dict[str, Blob] = {}
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if path.is_file() and not any(part.startswith((".", "__")) for part in inner.parts):
            if not is_safe(inner.as_posix()):
                raise UsageError(f"{path}: not a name that every system takes", hint="rename it, then run assay lock")
            found[inner.as_posix()] = Blob(Digest.of_file(path), path.stat().st_size, path)
    if str(digest_of({inner: str(blob.digest) for inner, blob in found.items()})) != lock.suites[name].digest:
        raise LockOutOfDate(f"evals/{name} is not what {lock.name} is locked with", hint=f"run assay lock {lock.name}")
    return [Layer("suite", f"evals/{name}/{inner}", "application/octet-stream", blob) for inner, blob in found.items()]
