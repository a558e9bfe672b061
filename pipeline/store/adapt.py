"""How many connections at a time: as many as make the whole faster, fewer as soon as the server says it is too much."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_FIRST = 4
_PERIOD, _LONGEST = 0.5, 3.0
_ENOUGH = 1 << 20  # bytes for each connection, to judge a rate by
_GAIN = 1.15
_BURST = 1.0


class Limit:
    """``now`` connections are allowed, never more than ``most``. ``clock`` returns seconds."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.now = min(_FIRST, most)
        self._most, self._clock = most, clock
        self._lock = threading.Lock()
        self._since, self._had = 0.0, -1
        self._best, self._before, self._doubts = 0.0, self.now, 0
        self._halved = float("-inf")

    def measure(self, total: int, working: int) -> None:
        """Hear that ``total`` bytes are there by now, with so many connections; twice as many are allowed where the last doubling paid."""
        now = self._clock()
        if self._had < 0:
            self._since, self._had = now, total
        passed, came = now - self._since, total - self._had
        if passed < _PERIOD or (came < working * _ENOUGH and passed < _LONGEST):
            return
        self._since, self._had = now, total
        with self._lock:
            if self.now >= self._most or working < self.now:
                return
            if came / passed > _GAIN * self._best:
                self._best, self._before, self._doubts = came / passed, self.now, 0
                self.now = min(self._most, 2 * self.now)
            elif self._doubts:  # twice no gain: what was enough before is enough
                self.now = self._most = self._before
            else:
                self._doubts = 1

    def halve(self) -> bool:
        """Allow half as many from now on, once for all connections that are refused at the same time; False when one is left."""
        with self._lock:
            now = self._clock()
            if now - self._halved < _BURST and self.now > 1:
                return True
            if self.now == 1:
                return False
            self._halved = now
            self.now = self._most = self.now // 2
            return True
