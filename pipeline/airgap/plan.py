"""What an import would write into a project: locks, specs, suites, results, and what is in its way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.airgap.carried import BLOBS, Folder, Tar
from pipeline.airgap.described import Model
from pipeline.core.canonical import pretty, read_json
from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, LockOutOfDate, SpecError, UsageError
from pipeline.core.project import Project
from pipeline.core.scratch import scratch
from pipeline.lock.load import lock_path, read_lock
from pipeline.lock.model import Lockfile
from pipeline.spec.load import read_spec, shown

Bundle = Tar | Folder


@dataclass(frozen=True)
class Write:
    """One file of a project that is not there yet: its content, or the digest in hex under which the bundle has it."""

    target: Path
    content: bytes | str


@dataclass(frozen=True)
class Plan:
    """The locks of a bundle by name, and what is to be written, locks last."""

    locks: dict[str, Lockfile]
    writes: tuple[Write, ...]


def content_of(bundle: Bundle, hex: str) -> bytes:
    """Return a small blob. Raises DigestMismatch when its bytes are not what they were."""
    content = bundle.read(BLOBS + hex)
    if Digest.of(content).hex != hex:
        raise DigestMismatch(f"{BLOBS}{hex} is damaged", hint="bring the bundle again")
    return content


def plan(bundle: Bundle, models: list[Model], project: Project, *, force: bool = False) -> Plan:
    """Read locks and specs as this version of Assay reads them, and compare with what the project has.

    Raises LockOutOfDate for a lock that this Assay doesn't read, UsageError for a spec that is not the locked one, and for other
    files in the way, all of them at once, unless ``force`` replaces them.
    """
    locks = {model.name: _lock(bundle, model) for model in models}
    wanted: dict[Path, str] = {}
    for model in models:
        for file in model.files:
            if file.role in ("spec", "suite", "attestation"):
                target = project.root / file.title
                if wanted.setdefault(target, file.hex) != file.hex:
                    raise UsageError(
                        f"{file.title} is two different files in the bundle", hint="bundle models one by one"
                    )
    blocking = [target for target, hex in wanted.items() if _differs(target, hex)]
    results = {
        project.state / "imported" / f"{model.name}.results.json": file.hex
        for model in models
        for file in model.files
        if file.role == "results"
    }
    written = {lock_path(project, name): pretty(lock.content()).encode() for name, lock in locks.items()}
    blocking += [path for path, content in written.items() if _differs(path, Digest.of(content).hex)]
    extra = _extra(project, locks, set(wanted))
    if extra or (blocking and not force):
        listed = "\n".join(f"  {shown(path)}" for path in [*extra, *([] if force else blocking)])
        hint = "move these files away; they are in no suite of the bundle" if extra else "--force replaces them"
        raise UsageError(f"the project has other files than the bundle:\n{listed}", hint=hint)
    every: dict[Path, bytes | str] = {**wanted, **results, **written}
    writes = [
        Write(target, content)
        for target, content in every.items()
        if not target.is_file() or _differs(target, content if isinstance(content, str) else Digest.of(content).hex)
    ]
    return Plan(locks, tuple(writes))


def _differs(target: Path, hex: str) -> bool:
    return (target.exists() or target.is_symlink()) and (not target.is_file() or Digest.of_file(target).hex != hex)


def _extra(project: Project, locks: dict[str, Lockfile], wanted: set[Path]) -> list[Path]:
    """Return files in the folders of suites that would change their digests."""
    folders = {project.suites / name for lock in locks.values() for name in lock.suites}
    return sorted(
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path not in wanted
        if not any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)
    )


def _lock(bundle: Bundle, model: Model) -> Lockfile:
    """Return the lock of a model, read as one of a project's is, with its spec."""
    with scratch() as folder:
        stage = Project(folder)
        for path in (stage.lockfiles, stage.specs):
            path.mkdir()
        lock_path(stage, model.name).write_text(pretty(read_json(model.lock)))
        spec_path = stage.specs / f"{model.name}.yaml"
        spec_path.write_bytes(content_of(bundle, next(file.hex for file in model.files if file.role == "spec")))
        try:
            lock = read_lock(stage, model.name)
            same = read_spec(spec_path).content() == lock.spec.content()
        except LockOutOfDate as error:
            raise type(error)(error.message.replace(f"{shown(folder)}/", ""), hint="nothing was taken in") from None
        except SpecError as error:
            said = f"this Assay can't read the spec of {model.name}: {error.problems[0].message}"
            raise UsageError(said, hint="was the bundle made by a newer one?") from None
    if not same:
        raise UsageError(
            f"the spec of {model.name} in the bundle is not what it is locked with", hint="bundle it again"
        )
    return lock
