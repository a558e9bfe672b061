"""The line: what all transfers of a command share. How many connections at a time, how many bytes a second, and when to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CONNECTIONS = 32
_TICK = 0.1


class Line:
    """``limit_rate`` is in bytes a second, over all connections together; None for no limit. ``came`` is how many bytes came so far."""

    def __init__(self, limit_rate: int | None = None, connections: int = CONNECTIONS) -> None:
        self.stop = threading.Event()
        self._free = threading.BoundedSemaphore(connections)
        self._rate = limit_rate
        self._next = 0.0
        self._lock = threading.Lock()
        self.came = 0

    @contextmanager
    def connection(self, over: Callable[[], bool]) -> Iterator[bool]:
        """Wait for a free connection and hold it; yields False, holding none, as soon as ``over`` says so."""
        while not self._free.acquire(timeout=_TICK):
            if over():
                yield False
                return
        try:
            yield True
        finally:
            self._free.release()

    def pace(self, size: int, over: Callable[[], bool]) -> None:
        """Count ``size`` bytes that came, and wait until they may have come, or until ``over`` says so."""
        with self._lock:
            self.came += size
            if not self._rate:
                return
            self._next = max(self._next, time.monotonic()) + size / self._rate
            until = self._next
        while (left := until - time.monotonic()) > 0 and not over():
            time.sleep(min(left, _TICK))
