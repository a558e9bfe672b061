"""Bundles of a small project, and the script that is in them, run as it is on a machine that has nothing else."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.airgap.bundle import Bundled, write_bundle
from pipeline.airgap.contents import gather
from pipeline.airgap.layout import Packed
from pipeline.core.canonical import canonical_bytes
from pipeline.core.digest import Digest
from pipeline.core.project import Project
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.store.layout import Store


def packed(project: Project, name: str = "small") -> Packed:
    """Return a model of a project, its blobs fetched."""
    session = Session(project)
    lock = session.current(name)
    fetch_all(session, [lock])
    return gather(project, session.store, lock)


def bundled(project: Project, out: Path, **how: Any) -> Bundled:
    """Write a bundle of the project's one model."""
    return write_bundle([packed(project)], out, **how)


def verify(*arguments: object, script: Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a bundle's script by a Python that has nothing but its standard library."""
    command = [sys.executable, "-I", "-S", "-W", "error", str(script), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def script_of(bundle: Path, folder: Path) -> Path:
    """Take ``verify.py`` out of a bundle, with the system's tar."""
    subprocess.run(["tar", "-xf", bundle, "-C", folder, "verify.py"], check=True)
    return folder / "verify.py"


def members(bundle: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Return what is in a tar."""
    with tarfile.open(bundle) as tar:
        return [(info, (tar.extractfile(info) or io.BytesIO()).read()) for info in tar.getmembers()]


def write_tar(out: Path, parts: list[tuple[tarfile.TarInfo, bytes]], format: int = tarfile.GNU_FORMAT) -> Path:
    """Write a tar of these members, whatever they are."""
    with tarfile.open(out, "w", format=format) as tar:
        for info, content in parts:
            if info.isreg():
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out


def forged(bundle: Path, out: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
    """Write a bundle whose manifest and lock ``change`` has edited, with digests that fit all the way up."""
    parts = {info.name: content for info, content in members(bundle)}
    index = json.loads(parts["index.json"])
    (entry,) = index["manifests"]
    manifest = json.loads(parts.pop(f"blobs/sha256/{entry['digest'][7:]}"))
    lock = json.loads(parts.pop(f"blobs/sha256/{manifest['config']['digest'][7:]}"))
    change(manifest, lock)

    def put(described: dict[str, Any], content: bytes) -> None:
        digest = Digest.of(content)
        parts[f"blobs/sha256/{digest.hex}"] = content
        described.update(digest=str(digest), size=len(content))

    put(manifest["config"], canonical_bytes(lock))
    put(entry, canonical_bytes(manifest))
    parts["index.json"] = canonical_bytes(index)
    return write_tar(out, [(tarfile.TarInfo(name), content) for name, content in parts.items()])


def files_in(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its content, but for a store's locks between processes."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.parent.name != "locks"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def elsewhere(folder: Path) -> tuple[Project, Store]:
    """Return an empty project."""
    (folder / "specs").mkdir(parents=True)
    project = Project(folder)
    return project, Store(project.store)
