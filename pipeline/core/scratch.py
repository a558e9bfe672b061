"""Temporary folders that also go when we were killed: the next of ours that needs one takes those away whose owner is
gone.

The owner holds a lock on a file inside, which the kernel lets go of however the owner ends. So neither a process number
that came back nor another container that shares the folder is mistaken for it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

PREFIX = "assay-"
OWNER = ".owner"


@contextmanager
def scratch(within: str | None = None) -> Iterator[Path]:
    """Make an empty folder for ourselves alone, and take it away at the end; ``within`` is where, by default ``$TMPDIR``."""
    base = within or tempfile.gettempdir()
    _swept(base)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=base) as name:
        folder = Path(name)
        held = os.open(folder / "owner.new", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with suppress(OSError):  # a file system without locks: then nobody takes the folder away but we
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                (folder / "owner.new").replace(folder / OWNER)  # under that name it was never without its lock
            yield folder
        finally:
            os.close(held)


def sweep(base: str) -> None:
    """Take away the folders in ``base`` that are ours and whose owner is gone. No link is followed."""
    with suppress(OSError), os.scandir(base) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX):
                with suppress(OSError):
                    _take_away(entry)


def _take_away(entry: os.DirEntry[str]) -> None:
    if not entry.is_dir(follow_symlinks=False) or entry.stat(follow_symlinks=False).st_uid != os.geteuid():
        return
    held = os.open(Path(entry.path) / OWNER, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises while the owner lives
        shutil.rmtree(entry.path, ignore_errors=True)
    finally:
        os.close(held)


@cache
def _swept(base: str) -> None:
    """Sweep once a process."""
    sweep(base)
