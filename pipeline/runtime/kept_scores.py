"""Scores that were computed before, in one SQLite file: what a suite is resumed from.

What is kept is what was decoded together, a pack at a time, under the digest of everything that decides about it: the
model, the engine and its settings, the tokens, the packing. A pack is either there whole or decoded whole, so a run that
goes on after a kill has the same bits as one that was never stopped. Each pack is a transaction of its own.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from pipeline.core.errors import UsageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS packs (key BLOB PRIMARY KEY, used INTEGER NOT NULL, content BLOB NOT NULL) WITHOUT ROWID;
"""
_SEAL = 16  # bytes after each pack: SQLite does not notice when a disk gives back other bytes
LARGEST = 2 << 30  # of the file, in bytes; beyond it the packs that were not used for longest go


class Scores:
    """The file at ``path``, made when it isn't there; a context manager. ``model`` says what all scores of this user
    belong to, usually the digests of weights, engine and hardware.

    Raises UsageError when the file can't be opened or is damaged.
    """

    def __init__(self, path: Path, model: str, *, largest: int = LARGEST) -> None:
        self._path, self._model, self._largest = path, model.encode(), largest
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._told():
            self._file = sqlite3.connect(path, timeout=60, isolation_level=None)
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = NORMAL")
            self._file.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        with self._told():
            self._shrink()
        self._file.close()

    def get(self, pack: bytes, reader: str) -> bytes | None:
        """Return what was kept of a pack; None where there is nothing, or where it is not what was put there."""
        key = self._key(pack, reader)
        with self._told():
            found = self._file.execute("SELECT content, used FROM packs WHERE key = ?", (key,)).fetchone()
            today = int(time.time()) // 86400
            if found and found[1] != today:
                self._file.execute("UPDATE packs SET used = ? WHERE key = ?", (today, key))
        content, seal = (found[0][:-_SEAL], found[0][-_SEAL:]) if found else (b"", b"")
        return bytes(content) if found and seal == _seal(key, content) else None

    def put(self, pack: bytes, reader: str, content: bytes) -> None:
        """Keep a pack."""
        key = self._key(pack, reader)
        row = key, int(time.time()) // 86400, content + _seal(key, content)
        with self._told():
            self._file.execute("INSERT OR REPLACE INTO packs VALUES (?, ?, ?)", row)

    def _key(self, pack: bytes, reader: str) -> bytes:
        parts = (self._model, reader.encode(), pack)
        return hashlib.sha256(b"".join(len(part).to_bytes(8, "little") + part for part in parts)).digest()

    def _shrink(self) -> None:
        """Let go of what was not used for longest, until the file is within its bound."""
        kept = self._file.execute("SELECT coalesce(sum(length(content) + 64), 0) FROM packs").fetchone()[0]
        if kept <= self._largest:
            return
        for key, size in self._file.execute(
            "SELECT key, length(content) + 64 FROM packs ORDER BY used, key"
        ).fetchall():
            self._file.execute("DELETE FROM packs WHERE key = ?", (key,))
            kept -= size
            if kept <= self._largest:
                break
        self._file.execute("VACUUM")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            hint = "delete it: everything in it can be computed again"
            raise UsageError(f"{self._path}: the kept scores can't be used: {error}", hint=hint) from None


def _seal(key: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_SEAL, key=key).digest()
