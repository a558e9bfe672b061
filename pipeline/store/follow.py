"""Hash a file while it is written: behind the contiguous frontier, out of the page cache, so that there is no second pass."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Callable, Iterator

from pipeline.core.digest import CHUNK, Digest
from pipeline.store.layout import LEAF
from pipeline.store.partial import Partial


class Follower:
    """Two threads follow a partial file: one for the digest of the whole, one for the leaves, so that two cores are of use."""

    def __init__(self, partial: Partial) -> None:
        self._partial = partial
        self._stop = False
        self._whole = hashlib.sha256()
        self._leaves: list[str] = []
        self._error: BaseException | None = None
        work = [self._hash_whole] + ([self._hash_leaves] if partial.size > LEAF else [])
        self._threads = [threading.Thread(target=self._guarded, args=(one,), daemon=True) for one in work]
        for thread in self._threads:
            thread.start()

    def done(self) -> bool:
        """Tell whether all bytes are hashed. Raises what went wrong."""
        if self._error is not None:
            raise self._error
        return not any(thread.is_alive() for thread in self._threads)

    def wait(self, seconds: float) -> None:
        """Wait for the end, at most so long."""
        for thread in self._threads:
            thread.join(seconds)

    @property
    def digest(self) -> Digest:
        return Digest(self._whole.hexdigest())

    @property
    def leaves(self) -> tuple[str, ...]:
        """The sha256 of each 64 MiB, in hex."""
        if self._partial.size <= LEAF:
            return (self._whole.hexdigest(),) if self._partial.size else ()
        return tuple(self._leaves)

    def stop(self) -> None:
        """End the threads, soon."""
        with self._partial.changed:
            self._stop = True
            self._partial.changed.notify_all()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._error = error

    def _hash_whole(self) -> None:
        for piece in self._chunks():
            self._whole.update(piece)

    def _hash_leaves(self) -> None:
        leaf, left = hashlib.sha256(), LEAF
        for piece in self._chunks():
            leaf.update(piece)
            left -= len(piece)
            if not left:
                self._leaves.append(leaf.hexdigest())
                leaf, left = hashlib.sha256(), LEAF
        if left < LEAF:
            self._leaves.append(leaf.hexdigest())

    def _chunks(self) -> Iterator[memoryview]:
        """Yield the file in order as it comes to be there; no piece crosses the end of a leaf."""
        partial, at, view = self._partial, 0, memoryview(bytearray(CHUNK))
        descriptor = partial.descriptor()
        try:
            while at < partial.size:
                with partial.changed:
                    while (frontier := partial.spans.frontier) <= at and not self._stop:
                        partial.changed.wait()
                if self._stop:
                    return
                while at < frontier and not self._stop:
                    came = os.preadv(descriptor, [view[: min(CHUNK, frontier - at, LEAF - at % LEAF)]], at)
                    if not came:
                        raise OSError(errno.EIO, "the file became shorter", str(partial.path))
                    yield view[:came]
                    at += came
        finally:
            os.close(descriptor)
