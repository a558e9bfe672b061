"""Files that appear whole or not at all, and locks between processes."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.core.errors import UsageError
from pipeline.core.owner import Owner

_NO_FLOCK = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP})


def fsync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def atomic_write(path: Path, content: bytes | str, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old content or the new, never a part: temporary file, fsync, rename, fsync folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    fsync_folder(path.parent)


@contextmanager
def locked(
    path: Path,
    *,
    wait: float = 600.0,
    held: Callable[[], None] = lambda: None,
    over: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` (created if missing, kept afterwards), between threads, processes and machines.

    The kernel's lock frees itself when the process dies; where it means nothing, as on some network file systems, the owner file beside
    it does. ``held`` is called once when another process has the lock. Raises UsageError when it keeps it for longer than ``wait``
    seconds, or ``over`` says so.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    owner, deadline, told = Owner(path.with_name(f"{path.name}.owner")), time.monotonic() + wait, False
    try:
        while (free := _flock(handle)) is False or not owner.claim(alone=free is True):
            if time.monotonic() > deadline or over():
                raise UsageError(f"{path} is held by another process", hint="wait for it to end, or stop it")
            if not told:
                held()
                told = True
            time.sleep(0.05)
        try:
            yield
        finally:
            owner.release()
    finally:
        os.close(handle)


def _flock(handle: int) -> bool | None:
    """Tell whether the kernel's lock is ours; None where there is no such thing."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_FLOCK:
            raise
        return None
    return True
