"""Transfer: one file from one origin into a partial file, over as many connections as make it faster."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from pipeline.core.errors import DigestMismatch, NetworkError
from pipeline.core.http import Refused, pause
from pipeline.spec.sources._base import Remote, Stream
from pipeline.store.adapt import Limit
from pipeline.store.foreign import foreign
from pipeline.store.line import Line
from pipeline.store.partial import Partial

SMALL = 8 << 20
"""Up to this size a file takes one request and has no journal."""
_MOST, _LEAST = (
    16 << 20,
    1 << 20,
)  # of a piece; a whole number of the latter is written between two lines of the journal
_PROGRESS = 64 << 10  # an attempt that brought so much was not in vain
_TRIES = 5
_TICK, _LINGER, _OFTEN = 0.1, 1.0, 0.5
# When nothing else is left to do, a connection that in so many seconds was slower than this share of the mean is left for a new one.
_SLOW_SECONDS, _SLOW_SHARE = 2.0, 0.25
_BUSY = frozenset({429, 503})
_AGAIN = "run the command again: it resumes"


class Stopped(Exception):
    """The whole command stops, for a reason that is told elsewhere."""


class TooMuch(Exception):
    """The origin sends more bytes than the file has."""


class NoRanges(Exception):
    """The origin sends the whole file whatever was asked for: nothing of it can be trusted to fit what is kept."""


class _Piece:
    """A range that one thread brings: it is there up to ``at``, and recorded up to ``since``.

    Once a piece is dropped, its thread neither writes nor records any more, however late it wakes. Whoever holds both locks takes
    ``partial.changed`` first.
    """

    def __init__(self, at: int, end: int) -> None:
        self.at = self.since = at
        self.end = end
        self.dropped = self.rescued = self._resting = False
        self.lock = threading.Lock()  # of ``at``, ``dropped`` and the bytes
        self._seen, self._seen_at = time.monotonic(), at

    def drop(self) -> int:
        """Let nothing more be written; return how far it came."""
        with self.lock:
            self.dropped = True
            return self.at

    @contextmanager
    def rest(self) -> Iterator[None]:
        """Mark a time in which the piece waits for what is no fault of its connection."""
        began, self._resting = time.monotonic(), True
        try:
            yield
        finally:
            self._seen, self._resting = self._seen + time.monotonic() - began, False

    def rate(self) -> float | None:
        """Return its bytes a second since it was last asked; None when that was too short ago to tell, or it rests."""
        now = time.monotonic()
        if self._resting or now - self._seen < _SLOW_SECONDS:
            return None
        rate = (self.at - self._seen_at) / (now - self._seen)
        self._seen, self._seen_at = now, self.at
        return rate


class Transfer:
    """One go at a file. ``what`` names it for people; ``alone`` takes one stream from where the partial ends."""

    def __init__(
        self,
        remote: Remote,
        url: str,
        partial: Partial,
        line: Line,
        what: str,
        *,
        alone: bool = False,
        tries: int | None = None,
    ) -> None:
        self._remote, self._url, self._partial, self._line, self._what = remote, url, partial, line, what
        self._alone, self._tries = alone or remote.parallel == 1, tries or _TRIES
        self._todo = partial.spans.gaps(partial.size)
        self._limit = Limit(1 if self._alone else remote.parallel)
        self._working = 0
        self._pieces_now: list[_Piece] = []
        self._began, self._kept, self._rescued = time.monotonic(), partial.spans.total, 0
        self._over = threading.Event()
        self._failure: BaseException | None = None

    def run(self, tell: Callable[[int], None]) -> None:
        """Bring what is missing; ``tell`` is told now and then how many bytes are there.

        Raises NoRanges, TooMuch, Stopped, DigestMismatch when the origin has a file of another size, Full, or what the origin's errors are.
        What came is recorded in any case, and afterwards no thread of this transfer touches the file.
        """
        partial = self._partial
        threads: list[threading.Thread] = []
        try:
            while True:
                with partial.changed:
                    if self._failure is not None:
                        raise self._failure
                    if not self._todo and not self._working:
                        break
                    if not self._todo and self._working < self._limit.now:
                        self._rescue()
                    for _ in range(min(self._limit.now - self._working, self._pieces())):
                        self._working += 1
                        threads.append(threading.Thread(target=self._work, daemon=True))
                        threads[-1].start()
                    partial.changed.wait(_TICK)
                    there = partial.spans.total
                if self._line.stop.is_set():
                    raise Stopped
                tell(there)
                self._limit.measure(there, self._working)
        finally:
            self._over.set()
            with partial.changed:
                for piece in self._pieces_now:
                    self._drop(piece)
            deadline = time.monotonic() + _LINGER  # one that waits for a silent server is left behind
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
        tell(partial.spans.total)

    def _pieces(self) -> int:
        return sum(-(-(end - start) // _LEAST) for start, end in self._todo)

    def _drop(self, piece: _Piece) -> int:
        """Take a piece from its thread, what came of it recorded; return how far it came. Called with the lock held."""
        at = piece.drop()
        self._partial.record(piece.since, at)
        return at

    def _rescue(self) -> None:
        """Give the piece of a connection that has become slow to another one. Called with the lock held."""
        came, seconds = self._partial.spans.total - self._kept, time.monotonic() - self._began
        usual = came / max(seconds, _TICK) / self._limit.now
        for piece in self._pieces_now:
            rate = piece.rate()
            if rate is None or rate >= usual * _SLOW_SHARE or self._rescued >= 2 * self._remote.parallel:
                continue
            piece.rescued = True
            self._pieces_now.remove(piece)
            if (at := self._drop(piece)) < piece.end:
                self._todo.append((at, piece.end))
            self._working -= 1
            self._rescued += 1
            return

    def _claim(self) -> _Piece | None:
        """Return the next piece to fetch. Towards the end they get smaller, so that all connections end at about the same time."""
        with self._partial.changed:
            if not self._todo or self._working > self._limit.now or self._over.is_set():
                return None
            start, end = self._todo.pop(0)
            if self._alone:
                return self._begun(start, end)
            left = end - start + sum(end - start for start, end in self._todo)
            share = -(-left // (2 * self._limit.now * _LEAST)) * _LEAST
            stop = min(end, start + min(_MOST, max(_LEAST, share)))
            if stop < end:
                self._todo.insert(0, (stop, end))
            return self._begun(start, stop)

    def _begun(self, at: int, end: int) -> _Piece:
        piece = _Piece(at, end)
        self._pieces_now.append(piece)
        return piece

    def _work(self) -> None:
        descriptor, piece = -1, None
        try:
            descriptor = self._partial.descriptor()
            while piece := self._claim():
                with ExitStack() as stack:
                    with piece.rest():
                        free = stack.enter_context(self._line.connection(self._over.is_set))
                    if not free:
                        return
                    self._persist(descriptor, piece)
                with self._partial.changed:
                    if piece.dropped:
                        return
                    self._pieces_now.remove(piece)
        except BaseException as error:
            if piece is None or not piece.rescued:
                self._fail(error)
        finally:
            if descriptor >= 0:
                os.close(descriptor)
            with self._partial.changed:
                if piece is None or not piece.rescued:
                    self._working -= 1
                self._partial.changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._partial.changed:
            # That ranges are ignored explains whatever else went wrong.
            if self._failure is None or isinstance(error, NoRanges):
                self._failure = error
            self._over.set()

    def _persist(self, descriptor: int, piece: _Piece) -> None:
        """Fetch a piece, going on where a transfer breaks off."""
        failures = 0
        while not self._over.is_set():
            before = piece.at
            error = self._once(descriptor, piece)
            if error is None or piece.dropped:
                return
            if piece.at - before >= _PROGRESS:
                failures = 0
            wait = pause(error, failures)
            failures += 1
            if wait is None or failures >= self._tries:
                raise error
            if isinstance(error, Refused) and error.status in _BUSY and self._limit.halve():
                failures = 0  # fewer connections may be all that it takes
            with piece.rest():
                self._over.wait(max(wait, _TICK))
            with self._partial.changed:
                if self._working > self._limit.now and not piece.dropped:  # this one is of those that are too many
                    self._pieces_now.remove(piece)
                    self._todo.insert(0, (self._drop(piece), piece.end))
                    return

    def _once(self, descriptor: int, piece: _Piece) -> NetworkError | None:
        """Read on in one request; returns why it came no further than it did, None where all of the piece is there."""
        begun, end, page, recorded = piece.at, piece.end, "", time.monotonic()
        last = end == self._partial.size
        try:
            with self._remote.read(begun, None if self._alone and last else end) as stream:
                self._check(stream)
                if stream.start != begun:
                    raise NoRanges
                for chunk in stream.chunks:
                    page = page or (foreign(chunk) if piece.at == 0 else "")
                    part = chunk[: end - piece.at]
                    with piece.lock:
                        if piece.dropped or self._over.is_set():
                            raise Stopped
                        self._partial.write(descriptor, part, piece.at)
                        piece.at += len(part)
                    # Often enough that little is lost, and seldom enough that it costs nothing.
                    if piece.at - piece.since >= _LEAST or time.monotonic() - recorded >= _OFTEN:
                        self._record(piece)
                        recorded = time.monotonic()
                    with piece.rest():
                        self._line.pace(len(part), self._over.is_set)
                    if len(part) < len(chunk):
                        if self._alone and last:
                            raise TooMuch
                        if stream.start == 0:
                            raise NoRanges
                        break
        except NetworkError as error:
            self._check_refusal(error)
            return error if piece.at < end else None
        finally:
            self._record(piece)
        if piece.at == end:
            return None
        if page:
            raise self._mismatch(piece.at, page)
        said = f"{self._url}: the transfer ended after {self._partial.spans.total} of {self._partial.size} bytes"
        return NetworkError(said, hint=_AGAIN, transient=True)

    def _record(self, piece: _Piece) -> None:
        """Record what is written of a piece, unless somebody did when it was dropped."""
        with self._partial.changed:
            if not piece.dropped:
                self._partial.record(piece.since, piece.at)
                piece.since = piece.at

    def _check(self, stream: Stream) -> None:
        """Raise DigestMismatch for another size than the one wanted, with what it looks like that comes instead."""
        if stream.size is None or stream.size == self._partial.size:
            return
        with suppress(NetworkError):
            page = foreign(next(iter(stream.chunks), b"")) if stream.start == 0 else ""
            raise self._mismatch(stream.size, page)
        raise self._mismatch(stream.size, "")

    def _check_refusal(self, error: NetworkError) -> None:
        """A range that is refused because the file is shorter tells of another file."""
        if isinstance(error, Refused) and error.status == 416:
            size = error.headers.get("content-range", "").removeprefix("bytes */")
            if size.isascii() and size.isdigit() and len(size) < 19 and int(size) != self._partial.size:
                raise self._mismatch(int(size), "") from None

    def _mismatch(self, size: int, page: str) -> DigestMismatch:
        said = f"{self._url} has {size} bytes, not the {self._partial.size} of {self._what}"
        if page:
            return DigestMismatch(f"{said}: {page}", hint="open the URL in a browser to see what the origin says")
        return DigestMismatch(said, hint="it is another file now; if the new one is meant, run assay lock")
