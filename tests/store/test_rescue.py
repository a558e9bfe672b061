"""Connections that become slow or silent, and threads that wake when everything is over."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.core.http import Refused
from pipeline.core.progress import SILENT
from pipeline.lock.model import LockedFile
from pipeline.spec.sources._base import Stream
from pipeline.store import transfer as module
from pipeline.store.fetch import _from
from pipeline.store.follow import Follower
from pipeline.store.layout import Store
from pipeline.store.line import Line
from pipeline.store.partial import Partial
from pipeline.store.transfer import Transfer

MIB = 1 << 20
DATA = os.urandom(16 * MIB)
URL = "https://example.org/m.gguf"


class Origin:
    """A file whose ranges are sent as ``send(start, end)`` says; ``asked`` are the ranges that were asked for."""

    parallel = 4

    def __init__(self, send: Callable[[int, int], Iterator[bytes]]) -> None:
        self._send = send
        self.asked: list[tuple[int, int]] = []

    @contextmanager
    def read(self, start: int = 0, end: int | None = None) -> Iterator[Stream]:
        end = len(DATA) if end is None else end
        assert end > start, "no server understands an empty range"
        self.asked.append((start, end))
        yield Stream(start, len(DATA), self._send(start, end))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLOW_SECONDS", 0.3)
    monkeypatch.setattr(module, "_LINGER", 0.1)


@pytest.fixture
def partial(tmp_path: Path) -> Iterator[Partial]:
    made = Partial(tmp_path / "x", None, len(DATA), journaled=True)
    yield made
    made.discard()


def bring(origin: Origin, partial: Partial, within: float) -> Digest:
    follower, began = Follower(partial), time.monotonic()
    Transfer(origin, URL, partial, Line(), "what").run(lambda there: None)
    while not follower.done():
        assert time.monotonic() - began < within
        follower.wait(0.05)
    assert time.monotonic() - began < within
    return follower.digest


def test_what_a_silent_connection_brought_is_kept_and_the_rest_comes_by_another(partial: Partial) -> None:
    quiet = threading.Event()

    def send(start: int, end: int) -> Iterator[bytes]:
        if start == 0:
            yield DATA[:300_000]
            quiet.wait(20)
            return
        yield DATA[start:end]

    origin = Origin(send)
    assert bring(origin, partial, within=8) == Digest.of(DATA)
    assert any(start == 300_000 for start, _ in origin.asked)
    quiet.set()


def test_a_connection_that_brought_all_and_does_not_end_is_not_asked_again(partial: Partial) -> None:
    def send(start: int, end: int) -> Iterator[bytes]:
        yield DATA[start:end]
        if start == 0:
            time.sleep(2)

    origin = Origin(send)
    assert bring(origin, partial, within=8) == Digest.of(DATA)
    starts = [start for start, _ in origin.asked]
    assert len(starts) == len(set(starts))


def test_a_wait_that_the_server_asked_for_is_no_slowness(partial: Partial) -> None:
    times: list[float] = []
    began = time.monotonic()

    def send(start: int, end: int) -> Iterator[bytes]:
        if start == 0 and time.monotonic() - began < 1.5:
            times.append(time.monotonic() - began)
            raise Refused(URL, 503, "busy", {"retry-after": "2"}, b"")
        yield DATA[start:end]

    assert bring(Origin(send), partial, within=8) == Digest.of(DATA)
    assert len(times) == 1, times


def test_a_thread_that_wakes_late_leaves_the_next_attempt_alone(tmp_path: Path) -> None:
    """One connection ignores ranges, so all begins again, while another sleeps in the middle of its piece."""
    late = threading.Event()

    class Mixed(Origin):
        @contextmanager
        def read(self, start: int = 0, end: int | None = None) -> Iterator[Stream]:
            if end is None:
                yield Stream(0, len(DATA), whole())
            elif start == 4 * MIB:
                time.sleep(0.1)
                yield Stream(0, len(DATA), whole())
            else:
                yield Stream(start, len(DATA), ranged(start, end))

    def ranged(start: int, end: int) -> Iterator[bytes]:
        yield DATA[start : start + 300_000]
        if start == 2 * MIB:
            late.wait(20)
        yield DATA[start + 300_000 : end]

    def whole() -> Iterator[bytes]:
        for at in range(0, len(DATA), MIB):
            yield DATA[at : at + MIB]
            if at == MIB:
                late.set()
                time.sleep(0.5)

    store = Store(tmp_path / "store")
    content = {"role": "weights", "path": "m.gguf", "size": len(DATA), "sha256": str(Digest.of(DATA)), "urls": [URL]}
    file = LockedFile.model_validate({**content, "known": "published"})
    path = _from(store, file, URL, Mixed(ranged), Line(), SILENT)
    assert path.read_bytes() == DATA and not list(store.root.glob("quarantine/*"))
