"""Where blobs lie, and what is remembered of each: ``blobs/sha256/<2>/<hex>``, read-only, with a receipt beside it."""

from __future__ import annotations

import json
import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.core.digest import Digest
from pipeline.core.files import atomic_write, fsync_folder, locked

LEAF = 64 << 20
_PATIENCE = 24 * 3600.0


@dataclass(frozen=True)
class Receipt:
    """What was true of a blob when it was last hashed. ``leaves`` are the sha256 of each 64 MiB, in hex; times are Unix times."""

    size: int
    mtime_ns: int
    inode: int
    verified_at: float
    leaves: tuple[str, ...]

    def fits(self, found: os.stat_result) -> bool:
        """Tell whether the file still looks as it did then."""
        return (self.size, self.mtime_ns, self.inode) == (found.st_size, found.st_mtime_ns, found.st_ino)


@dataclass(frozen=True)
class Store:
    """A folder of verified blobs. A ``Digest`` is the only way to a path."""

    root: Path

    def path(self, digest: Digest) -> Path:
        """Return the blob's final name, whether it exists or not."""
        return self.root / "blobs" / "sha256" / digest.hex[:2] / digest.hex

    def receipt_path(self, digest: Digest) -> Path:
        return self.path(digest).with_suffix(".json")

    def partial(self, digest: Digest) -> Path:
        """Return where a download of ``digest`` collects its bytes."""
        return self.root / "partial" / digest.hex

    def has(self, digest: Digest) -> bool:
        """Tell whether a blob stands under its final name: a file, not a link to one, which would be somebody else's."""
        try:
            return stat.S_ISREG(self.path(digest).lstat().st_mode)
        except OSError:
            return False

    def trusted(self, digest: Digest) -> bool:
        """Tell whether a blob stands under its final name and still looks as it did when it was hashed."""
        receipt = self.receipt(digest)
        try:
            return receipt is not None and receipt.fits(self.path(digest).lstat())
        except OSError:
            return False

    def receipt(self, digest: Digest) -> Receipt | None:
        """Return what was remembered; None where nothing was, or it can't be read (the blob is then hashed again)."""
        return _receipt(self.receipt_path(digest))

    def lock(
        self,
        name: str,
        held: Callable[[], None] = lambda: None,
        over: Callable[[], bool] = lambda: False,
        wait: float = _PATIENCE,
    ) -> AbstractContextManager[None]:
        """Return a lock between processes for all that makes or moves a blob; ``name`` is the digest's hex, where known. See ``locked``."""
        return locked(self.root / "locks" / name, wait=wait, held=held, over=over)

    def remember(self, digest: Digest, leaves: tuple[str, ...], found: os.stat_result) -> None:
        """Write the receipt of a blob that was hashed just now; ``found`` is its state from before that."""
        receipt = Receipt(found.st_size, found.st_mtime_ns, found.st_ino, time.time(), leaves)
        atomic_write(self.receipt_path(digest), json.dumps(asdict(receipt)))

    def publish(self, temporary: Path, digest: Digest, leaves: tuple[str, ...]) -> Path:
        """Give a verified file its final name: read-only, fsync, rename, fsync the folder, receipt."""
        final = self.path(digest)
        final.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(temporary, os.O_RDONLY)
        try:
            os.fchmod(handle, 0o444)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, final)
        fsync_folder(final.parent)
        self.remember(digest, leaves, final.stat())
        return final

    def quarantine(self, path: Path, digest: Digest) -> Path:
        """Move a bad file out of the way, kept for whoever asks what happened. A blob's receipt goes with it: its leaves tell a repair
        which parts are still good.
        """
        folder = self.root / "quarantine"
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / f"{digest.hex}.{time.strftime('%Y%m%dT%H%M%S')}.{secrets.token_hex(4)}"
        os.replace(path, kept)
        if path == self.path(digest):
            with suppress(FileNotFoundError):
                os.replace(self.receipt_path(digest), kept.with_name(f"{kept.name}.json"))
        return kept

    def quarantined(self, digest: Digest) -> list[tuple[Path, Receipt | None]]:
        """Return the bad files that were once under this digest, newest first, each with the receipt it had."""
        found = [path for path in (self.root / "quarantine").glob(f"{digest.hex}.*") if path.suffix != ".json"]
        newest = sorted(found, key=lambda path: path.name, reverse=True)
        return [(path, _receipt(path.with_name(f"{path.name}.json"))) for path in newest]


def _receipt(path: Path) -> Receipt | None:
    try:
        content = json.loads(path.read_bytes())
        return Receipt(**{**content, "leaves": tuple(content["leaves"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
