"""The bounded place in front of each model: so many requests at the engine, so many waiting, first come first served."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace

from pipeline.deploy.door.answers import Refusal
from pipeline.deploy.door.model import Upstream

# Questions that take no place are no work of the engine's loop, but each is one of its threads.
MOST_VISITS = 32


class Room:
    """One model's place. Its engine can be replaced at any time: what is at the old one ends there, what waits goes to
    the new one. ``closed`` says why it is out of service; ``unloaded``: an engine is started when somebody asks; ``used``:
    when somebody last did, by the monotonic clock. ``news`` is called when somebody asks an unloaded model, and when the
    last one has gone.
    """

    def __init__(self, upstream: Upstream, queue: int, wait: float, news: Callable[[], object] = lambda: None) -> None:
        self.upstream = upstream
        self.closed, self._again = "", 0.0
        self.unloaded, self.used, self._news = not upstream.slots, time.monotonic(), news
        self._queue, self._wait = queue, wait
        self._at: Counter[Upstream] = Counter()
        self._visits: Counter[Upstream] = Counter()
        self._waiting: deque[asyncio.Future[Upstream]] = deque()
        self._left = asyncio.Event()
        self._usual, self._since = 1.0, 0.0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def since(self) -> float | None:
        """Since when somebody has waited, by the monotonic clock."""
        return self._since if self._waiting else None

    @property
    def state(self) -> str:
        """``loaded``, ``unloaded``, ``loading`` or ``failed``."""
        if self.closed:
            return "failed"
        if self.upstream.slots:
            return "loaded"
        return "unloaded" if self.unloaded and not self._waiting else "loading"

    def at(self, upstream: Upstream | None = None) -> int:
        """Return how many requests an engine has; that of now, or another one."""
        return self._at[upstream or self.upstream]

    @property
    def busy(self) -> int:
        """How many requests are here at all, at any engine or waiting."""
        return self._at.total() + len(self._waiting)

    async def enter(self) -> Upstream:
        """Return the engine to ask, when it has a place. Raises Refusal: 429 when the queue is full or the wait was too
        long, 503 when the model is out of service.
        """
        if self.closed:
            raise self._out_of_service()
        if not self._waiting and self._free():
            self._at[self.upstream] += 1
            return self.upstream
        if len(self._waiting) >= self._queue:
            raise self._too_many("queue_full", f"{self.upstream.name} is busy, and {self._queue} requests wait already")
        loop = asyncio.get_running_loop()
        place: asyncio.Future[Upstream] = loop.create_future()
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(place)
        if self.unloaded:
            self._news()
        # Not asyncio.wait_for: on Python 3.11 that swallows a cancellation that meets a result.
        timer = loop.call_later(self._wait, self._tire, place)
        try:
            return await place
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
            if place.done() and not place.cancelled() and place.exception() is None:
                self.leave(place.result())  # it was called in the moment in which its client went
            raise
        finally:
            timer.cancel()
            self._left.set()

    def leave(self, upstream: Upstream, seconds: float | None = None) -> None:
        """Give a place back; ``seconds`` is how long it was taken."""
        self._at[upstream] -= 1
        if not self._at[upstream]:
            del self._at[upstream]
        if seconds is not None:
            self._usual += (seconds - self._usual) / 8
        self.used = time.monotonic()
        self._call()
        self._gone()

    def visit(self) -> Upstream:
        """Return the engine for a question that takes no place of it; ``went`` when it is answered. Raises Refusal: 429
        when there are too many.
        """
        if self._visits.total() >= MOST_VISITS:
            raise self._too_many("too_many_questions", f"{self.upstream.name} is asked {MOST_VISITS} questions already")
        self._visits[self.upstream] += 1
        return self.upstream

    def went(self, upstream: Upstream) -> None:
        """A question is answered."""
        self._visits[upstream] -= 1
        if not self._visits[upstream]:
            del self._visits[upstream]
        self._gone()

    def replace(self, upstream: Upstream) -> None:
        """Let all that come or wait go to another engine from now on."""
        self.upstream, self.closed, self.unloaded = upstream, "", not upstream.slots
        self.used = time.monotonic()
        self._call()

    def pause(self) -> None:
        """Let requests wait, until ``replace``."""
        self.upstream = replace(self.upstream, slots=0)

    def unload(self) -> None:
        """Let requests wait, as in a pause; the first that comes wants an engine."""
        self.pause()
        self.closed, self.unloaded = "", True

    def close(self, why: str, again: float = 30.0) -> None:
        """Take the model out of service: those that wait are refused, those that come too. They are told to come again
        in so many seconds.
        """
        self.closed, self._again = why, again
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_exception(self._out_of_service())

    async def empty(self, upstream: Upstream | None = None) -> None:
        """Wait until an engine has no request any more; without one, until nobody is here."""
        while not self.idle(upstream):
            self._left.clear()
            await self._left.wait()

    def idle(self, upstream: Upstream | None = None) -> bool:
        """Tell whether an engine has no request; without one, whether nobody is here."""
        if upstream:
            return not self._at[upstream] and not self._visits[upstream]
        return not self.busy and not self._visits.total()

    def _gone(self) -> None:
        self._left.set()
        if self.idle():
            self._news()

    def _free(self) -> bool:
        return self._at[self.upstream] < self.upstream.slots

    def _tire(self, place: asyncio.Future[Upstream]) -> None:
        if not place.done():
            self._waiting.remove(place)
            what = "was not loaded" if self.unloaded else "had no place"
            said = f"{self.upstream.name} {what} in {self._wait:g} s"
            place.set_exception(self._too_many("waited_too_long", said))

    def _call(self) -> None:
        while self._waiting and self._free():
            place = self._waiting.popleft()
            if not place.done():
                self._at[self.upstream] += 1
                place.set_result(self.upstream)

    def _too_many(self, reason: str, message: str) -> Refusal:
        rounds = self.busy / max(1, self.upstream.slots)
        after = min(60, max(1, math.ceil(rounds * self._usual)))
        return Refusal(429, reason, message, [("Retry-After", str(after))])

    def _out_of_service(self) -> Refusal:
        message = f"{self.upstream.name} is out of service: {self.closed}"
        return Refusal(503, "out_of_service", message, [("Retry-After", str(max(1, math.ceil(self._again))))])
