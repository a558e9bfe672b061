"""A file on its way into the store, and the journal beside it that says which ranges are there.

The journal is a line for each range, appended after the range's bytes were written; its head names the digest, the size and the inode
that it speaks of. A process killed at any point leaves at worst bytes that the journal doesn't know, which are fetched again. After a
power cut the journal may know of bytes that never reached the disk: that is found when the whole is hashed, and then nothing is kept.

Small files have no journal: they are written from the front, so their size says it all.
"""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

from pipeline.core.digest import Digest
from pipeline.core.errors import UsageError
from pipeline.core.files import atomic_write
from pipeline.store.spans import Spans

_HEAD = "assay-journal 1"


class Full(UsageError):
    """The store can't be written: no other origin will help."""

    def __init__(self, path: Path, error: OSError) -> None:
        said = f"can't write {path}: {error.strerror}"
        super().__init__(said, hint="free some space, then run the command again: it resumes")


def journal_of(path: Path) -> Path:
    """Return where the journal of a partial file lies."""
    return path.with_name(f"{path.name}.journal")


class Partial:
    """Opens ``path`` for writing, with what is kept of it. ``kept`` is how many bytes were there; ``changed`` is notified when more are.

    All it does raises Full when the store can't be written.
    """

    def __init__(self, path: Path, digest: Digest | None, size: int, *, journaled: bool) -> None:
        self.path, self.size = path, size
        self.changed = threading.Condition()
        self._head = f"{_HEAD} {digest} {size}"
        self._journaled, self._journal = journaled, -1
        self._fd = -1
        self._open()

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = _opened(self.path)
            found = os.fstat(self._fd)
            self.spans = self._kept(found)
            self.kept = self.spans.total
            if self._journaled:
                self._begin_journal(found.st_ino)
                os.ftruncate(self._fd, self.size)
        except OSError as error:
            self.close()
            raise Full(self.path, error) from None

    def _kept(self, found: os.stat_result) -> Spans:
        journal = journal_of(self.path)
        try:
            lines = journal.read_bytes().decode("ascii", "replace").split("\n")[:-1] if self._journaled else []
        except FileNotFoundError:
            lines = []
        if lines and lines[0] == f"{self._head} {found.st_ino}":
            return _read(lines[1:], min(self.size, found.st_size))
        if lines or found.st_size > self.size:  # of another file, or of nobody knows what
            os.ftruncate(self._fd, 0)
            return Spans()
        return Spans([(0, found.st_size)])

    def _begin_journal(self, inode: int) -> None:
        lines = [f"{self._head} {inode}", *(f"{start} {end}" for start, end in self.spans)]
        atomic_write(journal_of(self.path), "".join(f"{line}\n" for line in lines))
        self._journal = os.open(journal_of(self.path), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def descriptor(self) -> int:
        """Return a descriptor of one's own, to be closed by whoever asked: it stays with this file, whatever becomes of the name."""
        return os.dup(self._fd)

    def write(self, descriptor: int, data: bytes, at: int) -> None:
        """Write at a place, through a descriptor of one's own."""
        view = memoryview(data)
        try:
            while view:
                done = os.pwrite(descriptor, view, at)
                view, at = view[done:], at + done
        except OSError as error:
            raise Full(self.path, error) from None

    def record(self, start: int, end: int) -> None:
        """Say that the bytes from ``start`` to ``end`` are written."""
        with self.changed:
            if start >= end or self._fd < 0:
                return
            if self._journal >= 0:
                try:
                    os.write(self._journal, f"{start} {end}\n".encode())
                except OSError as error:
                    raise Full(journal_of(self.path), error) from None
            self.spans.add(start, end)
            self.changed.notify_all()

    def reset(self) -> None:
        """Keep nothing: a new file in place of the old."""
        self.discard()
        self._open()

    def discard(self) -> None:
        """Close and remove the file and its journal."""
        self.close()
        self.path.unlink(missing_ok=True)
        journal_of(self.path).unlink(missing_ok=True)

    def leave(self) -> None:
        """Close the file; nothing stays where nothing came."""
        if self.spans.total or (not self._journaled and self._fd >= 0 and os.fstat(self._fd).st_size):
            self.close()
        else:
            self.discard()

    def close(self) -> None:
        """Let go of the file; what is kept of it stays."""
        with self.changed:
            descriptors, self._fd, self._journal = [self._fd, self._journal], -1, -1
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)


def _opened(path: Path) -> int:
    """Open a file that is ours alone: a link that somebody put there is removed, never followed."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    if path.is_symlink():
        path.unlink()
    descriptor = os.open(path, flags, 0o644)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
        return descriptor
    os.close(descriptor)
    path.unlink()
    return os.open(path, flags | os.O_EXCL, 0o644)


def _read(lines: list[str], size: int) -> Spans:
    """Return the ranges of a journal's lines, up to one that makes no sense."""
    spans = Spans()
    for line in lines:
        start, _, end = line.partition(" ")
        if not (start.isdecimal() and end.isdecimal() and int(start) < int(end) <= size):
            break
        spans.add(int(start), int(end))
    return spans
