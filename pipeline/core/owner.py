"""Owner files: locks that need nothing of a file system but that creating a file exclusively works, as on NFS and Lustre.

An owner file names machine, process and the process's start; its holder touches it every few seconds. One of this machine is stale when
that process is gone; one of another container on it, whose processes can't be seen, when the kernel's lock is free; one of another machine
when it was not touched for a minute, by the file server's clock. A holder that was asleep for that long on another machine may lose its
lock: whoever needs more must check what it finished.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import tempfile
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path

_BEAT, _STALE = 10.0, 60.0


class Owner:
    """The owner file at ``path``. Not for several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1  # kept open, so that no other file gets the number of ours
        self._over = threading.Event()

    def claim(self, *, alone: bool = False) -> bool:
        """Become the owner; False when somebody else is. Removes a stale file; ``alone`` says that the kernel knows of no other holder on
        this machine. Raises OSError.
        """
        for _ in range(2):
            try:
                self._descriptor = self._created()
            except FileExistsError:
                if not self._bury_stale(alone):
                    return False
                continue
            threading.Thread(target=self._beat, daemon=True).start()
            return True
        return False

    def _created(self) -> int:
        """Create the file, its content in it from the first moment: a process that is killed leaves nothing that only its age tells of.
        Raises FileExistsError.
        """
        whole = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            with suppress(OSError):  # on a full disk it stays empty
                os.write(descriptor, json.dumps([_machine(), _world(), os.getpid(), _started(os.getpid())]).encode())
            try:
                os.link(whole, self._path)
            except FileExistsError:
                raise
            except OSError:  # a file system without links
                first = descriptor
                descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
                os.close(first)
                os.write(descriptor, whole.read_bytes())
        except BaseException:
            os.close(descriptor)
            raise
        finally:
            whole.unlink(missing_ok=True)
        return descriptor

    def release(self) -> None:
        """Remove the file, if it is still ours."""
        self._over.set()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        try:
            if _same(os.fstat(descriptor), self._path.stat()):
                self._path.unlink()
        except OSError:
            pass
        finally:
            os.close(descriptor)

    def _beat(self) -> None:
        while not self._over.wait(_BEAT):
            with suppress(OSError):
                os.utime(self._path)

    def _bury_stale(self, alone: bool) -> bool:
        """Remove the file when nobody stands behind it; tells whether it is worth trying again at once."""
        try:
            with self._path.open("rb") as file:
                judged, content = os.fstat(file.fileno()), file.read(4096)
                if not self._is_stale(judged, content, alone):
                    return False
                aside = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
                self._path.rename(aside)
                if not _same(aside.stat(), judged):  # somebody was faster, and this is the new owner's
                    with suppress(OSError):
                        os.link(aside, self._path)
                aside.unlink()
        except FileNotFoundError:
            pass
        return True

    def _is_stale(self, judged: os.stat_result, content: bytes, alone: bool) -> bool:
        try:
            machine, world, pid, started = json.loads(content)
        except (ValueError, TypeError):
            machine = None
        if machine == _machine() and isinstance(pid, int):
            if world == _world():
                return not _runs(pid, started)
            if alone:
                return True
        return _now(self._path.parent) - judged.st_mtime > _STALE


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


@cache
def _machine() -> str:
    """Return what identifies this machine since it was started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return socket.gethostname()


@cache
def _world() -> str:
    """Return what identifies the world of process ids that we live in: a container has its own."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process was started, in the kernel's ticks; nothing where that isn't told, ``dead`` of one that only waits to be
    buried by its parent.
    """
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "dead" if state in "ZX" else rest[18]
    except (OSError, ValueError, IndexError):
        return ""


def _runs(pid: int, started: object) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it belongs to somebody else
    now = _started(pid)
    return not now or not started or now == started


def _now(folder: Path) -> float:
    """Return the time by the clock that stamps the files of ``folder``."""
    with tempfile.NamedTemporaryFile(prefix=".now.", dir=folder) as file:
        os.utime(file.fileno())
        return os.fstat(file.fileno()).st_mtime
