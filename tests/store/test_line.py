from __future__ import annotations

import threading
import time

from pipeline.store.line import Line


def test_connections_are_bounded_and_waiting_ends_when_it_is_over() -> None:
    line, over = Line(connections=1), threading.Event()
    with line.connection(over.is_set) as first:
        assert first
        threading.Timer(0.2, over.set).start()
        with line.connection(over.is_set) as second:
            assert not second
    with line.connection(over.is_set) as third:
        assert third


def test_all_together_keep_to_the_rate() -> None:
    line, began = Line(1_000_000), time.monotonic()

    def take() -> None:
        for _ in range(4):
            line.pace(25_000, lambda: False)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began > 0.39  # 400 kB at 1 MB/s
    began = time.monotonic()
    line.pace(10**9, lambda: True)
    Line().pace(10**12, lambda: False)
    assert time.monotonic() - began < 10
