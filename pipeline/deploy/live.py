"""Is what runs what was deployed? A live process and its files, compared with the record."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.core.digest import Digest
from pipeline.deploy.log import Event

# Device, inode, size, time of change of the content, and of anything at all: the last can't be set back.
Mark = tuple[int, int, int, int, int]
# What a process may have otherwise than the plan says: where it listens, and where its key lies.
_OWN = ("--host", "--port", "--api-key-file")


def mark_of(path: Path) -> Mark:
    """Return how a file looks now. Raises OSError."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def marks_of(event: Event) -> dict[Path, Mark]:
    """Return how the files of a deployment looked just before they were hashed for it."""
    return {Path(one["path"]): _marked(one) for one in event.proof}


def _marked(proof: dict[str, Any]) -> Mark:
    return proof["device"], proof["inode"], proof["size"], proof["mtime_ns"], proof["ctime_ns"]


def drift_of_files(event: Event, *, deep: bool) -> list[str]:
    """Return in what the files of a deployment differ from what they were when it was made. A file that looks otherwise is hashed; with
    ``deep`` each is.
    """
    return [said for one in event.proof for said in _file(one, deep)]


def _file(proof: dict[str, Any], deep: bool) -> Iterator[str]:
    path = Path(proof["path"])
    try:
        looks = mark_of(path)
        if looks == _marked(proof) and not deep:
            return
        digest = str(Digest.of_file(path))
    except OSError as error:
        yield f"{path}: {error.strerror}; it was {proof['sha256']}"
        return
    if digest != proof["sha256"]:
        yield f"{path}: other bytes than were deployed\n  want {proof['sha256']}\n  got  {digest}"
    elif looks[:2] != (proof["device"], proof["inode"]):
        yield f"{path}: replaced by another file with the same bytes"


def drift_of_process(event: Event, pid: int) -> list[str]:
    """Return in what a running engine differs from what was deployed: its program and libraries by content, its command line, the names
    of its environment. Empty where the system has no ``/proc``.
    """
    if not Path("/proc/self/exe").exists():
        return []
    try:
        return list(_process(event, Path(f"/proc/{pid}")))
    except (FileNotFoundError, ProcessLookupError):
        return [f"the engine's process {pid} is gone"]
    except PermissionError:
        return [f"the engine's process {pid} can't be looked into: it is another user's"]


def _process(event: Event, proc: Path) -> Iterator[str]:
    known = {proof["path"]: proof for proof in event.proof}
    server = str(Path(event.argv[0]).resolve())
    program = str((proc / "exe").readlink())
    if program != server:
        yield f"the process runs {program}, not {server}"
    want = known.get(server) or known.get(event.argv[0])
    have = str(Digest.of_file(proc / "exe"))
    if want and have != want["sha256"]:
        yield f"the process runs another program\n  want {want['sha256']}\n  got  {have}"
    argv = _words(proc / "cmdline")
    moved = [
        (old, new) for old, new in zip(_without_own(event.argv[1:]), _without_own(argv[1:]), strict=False) if old != new
    ]
    if moved or len(_without_own(event.argv)) != len(_without_own(argv)):
        said = f": {moved[0][1]!r} instead of {moved[0][0]!r}" if moved else ""
        yield f"the process has another command line{said}"
    keys = {word.partition("=")[0] for word in _words(proc / "environ")}
    if keys != set(event.env_keys):
        yield f"the process has another environment: {', '.join(sorted(keys ^ set(event.env_keys)))}"
    for path, device, inode in _mapped(proc):
        proof = known.get(path.removesuffix(" (deleted)"))
        if proof and (path.endswith(" (deleted)") or (device == proof["device"] and inode != proof["inode"])):
            yield f"the process has another file open as {path}"


def _without_own(argv: tuple[str, ...]) -> list[str]:
    kept, skip = [], False
    for word in argv:
        if not skip and word not in _OWN:
            kept.append(word)
        skip = not skip and word in _OWN
    return kept


def _words(path: Path) -> tuple[str, ...]:
    return tuple(os.fsdecode(word) for word in path.read_bytes().removesuffix(b"\0").split(b"\0"))


def _mapped(proc: Path) -> Iterator[tuple[str, int, int]]:
    """Yield path, device and inode of each file that is mapped or open, once. Of maps the kernel tells the device of some file systems
    otherwise than ``stat`` does.
    """
    found = set()
    for line in (proc / "maps").read_text(errors="replace").splitlines():
        parts = line.split(maxsplit=5)
        if len(parts) == 6 and parts[5].startswith("/"):
            major, minor = (int(part, 16) for part in parts[3].split(":"))
            found.add((parts[5], os.makedev(major, minor), int(parts[4])))
    for link in (proc / "fd").iterdir():
        with suppress(OSError):
            opened = link.stat()
            found.add((str(link.readlink()), opened.st_dev, opened.st_ino))
    yield from sorted(found)
