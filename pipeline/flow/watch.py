"""Notice that a file which was verified is no longer the same file, or may no longer hold the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.core.errors import DigestMismatch
from pipeline.deploy.live import Mark, mark_of
from pipeline.flow.prepare import verify_all
from pipeline.flow.session import Session
from pipeline.lock.model import Lockfile


class Watch:
    """The served files of a lock, from before they are hashed on. The stored bytes are hashed again when a file's mark
    moves. ``hashed`` are the marks that files had just before somebody hashed them and found them right.
    """

    def __init__(self, session: Session, lock: Lockfile, hashed: Mapping[Path, Mark] | None = None) -> None:
        self._session, self._lock = session, lock
        self._paths = [session.store.path(file.digest) for file in lock.files]
        self._marks = self._now()
        if not hashed or self._marks != [hashed.get(path) for path in self._paths]:
            verify_all(session, [lock], deep=True)

    def look(self) -> None:
        """Raise DigestMismatch when the bytes are others now, or the file is another one than that which was opened."""
        now = self._now()
        if now == self._marks:
            return
        verify_all(self._session, [self._lock], deep=True)
        for path, old, new in zip(self._paths, self._marks, now, strict=True):
            if old is None or new is None or old[:2] != new[:2]:
                raise DigestMismatch(
                    f"{path} was replaced while it was served",
                    hint="the bytes there are the locked ones; start serving again",
                )
        self._marks = now

    def _now(self) -> list[Mark | None]:
        return [_mark(path) for path in self._paths]


def _mark(path: Path) -> Mark | None:
    try:
        return mark_of(path)
    except OSError:
        return None
