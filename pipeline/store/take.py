"""Take a file that this machine has already: without copying where the file system can share its blocks.

Never by a hard link: that file belongs to the user or to another program, who may write into it later, and then the blob would change
with it. A reflink shares blocks only until one side is written to, so it is as good as a copy. The copy is what gets hashed, never the
source: what happens to the source meanwhile can't slip through.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from pipeline.core.errors import DigestMismatch, UsageError
from pipeline.store.partial import Full, Partial

_FICLONE = 0x40049409
_STEP = 8 << 20
_CANT = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY, errno.EPERM, errno.EBADF})
_OURS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})


def take(source: Path, partial: Partial, what: str, over: Callable[[], bool], tell: Callable[[int], None]) -> None:
    """Fill ``partial``, of which nothing is kept, from ``source``. ``what`` says what it should be; ``over`` ends the copying early.

    Raises DigestMismatch for another size, UsageError when it can't be read, Full when there is no room.
    """
    try:
        reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"can't read {source}: {error.strerror}", hint="the lock names this file") from None
    writing = partial.descriptor()
    try:
        size = os.fstat(reading).st_size
        if size != partial.size:
            said = f"{source} has {size} bytes, not the {partial.size} of {what}"
            raise DigestMismatch(said, hint="it is another file now; if the new one is meant, run assay lock")
        if size and clone(reading, writing):
            partial.record(0, size)
            tell(size)
            return

        def done(start: int, end: int) -> bool:
            partial.record(start, end)
            tell(end)
            return not over()

        copy_range(reading, writing, 0, size, done)
    except OSError as error:
        if error.errno in _OURS:
            raise Full(partial.path, error) from None
        raise UsageError(f"can't read {source}: {error.strerror}", hint="is the disk in order?") from None
    finally:
        os.close(reading)
        os.close(writing)


def clone(reading: int, writing: int) -> bool:
    """Let one open file share all blocks of another; False where the file system can't. Raises OSError."""
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError as error:
        if error.errno not in _CANT:
            raise
        return False
    return True


def copy_range(
    reading: int, writing: int, at: int, end: int, done: Callable[[int, int], bool] = lambda start, end: True
) -> None:
    """Copy the bytes from ``at`` to ``end`` to the same place, inside the kernel where it can; ``done`` hears of each step and may end it.

    Raises OSError, also when the source is too short.
    """
    inside = hasattr(os, "copy_file_range")
    while at < end:
        wanted, size = min(_STEP, end - at), 0
        if inside:
            try:
                size = os.copy_file_range(reading, writing, wanted, at, at)
            except OSError as error:
                if error.errno not in _CANT:
                    raise
            inside = size > 0
        size = size or os.pwrite(writing, os.pread(reading, wanted, at), at)
        if not size:
            raise OSError(errno.EIO, "it became shorter while it was read")
        if not done(at, at + size):
            return
        at += size
