"""Load time and memory, from made-up ``/proc`` and from the real one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pipeline.bench.resources import Started, forget, load_rows, memory_rows, started
from tests.bench.test_readings import put


def test_a_cold_start_counts_only_if_the_weights_came_from_storage() -> None:
    warm = Started(0.2, 0)
    cold, again = load_rows(Started(0.5, 90), warm, 100)
    assert (cold.test, cold.value, again.test, again.value) == ("cold", 0.5, "warm", 0.2)
    assert "DONTNEED" in cold.detail["page_cache"]
    kept, _ = load_rows(Started(0.5, 10), warm, 100)
    assert kept.value is None and "kept the file in memory: 10 of 100 bytes" in kept.reason
    silent, _ = load_rows(Started(0.5, None), warm, 100)
    never, _ = load_rows(None, warm, 100)
    assert "does not say" in silent.reason and "can't be asked" in never.reason
    assert not any(row.inconclusive for row in (kept, silent, never))


def test_a_start_that_was_kept_waiting_is_inconclusive() -> None:
    cold, warm = load_rows(Started(0.5, 90, 0.4), Started(0.2, 0, 0.01), 100)
    assert cold.inconclusive and cold.value is None and "waited for a core 40%" in cold.reason
    assert cold.detail["measured"] == 0.5
    assert warm.value == 0.2


def test_what_a_start_took_is_read(tmp_path: Path) -> None:
    put(tmp_path, "proc/7/io", "rchar: 9\nread_bytes: 4096\nwrite_bytes: 0\n")
    put(tmp_path, "proc/7/task/7/schedstat", "9 100000000 7\n")
    assert started(7, 0.5, tmp_path) == Started(0.5, 4096, 0.2)
    assert started(8, 0.5, tmp_path) == Started(0.5, None, None)


def test_memory_stands_beside_the_plan(tmp_path: Path) -> None:
    put(tmp_path, "proc/7/status", "Name:\tx\nVmHWM:\t    2048 kB\n")
    put(tmp_path, "proc/7/smaps_rollup", "00-ff ---p 0 00:00 0 [rollup]\nRss: 9 kB\nPss:     1024 kB\n")
    peak, pss, planned, share = memory_rows(7, 1 << 20, root=tmp_path)
    assert (peak.metric, peak.value, pss.value) == ("peak_memory_bytes", 2 << 20, 1 << 20)
    assert (planned.value, share.value) == (1 << 20, 2.0)
    unknown = memory_rows(8, None, "no plan", root=tmp_path)
    assert {row.value for row in unknown} == {None}
    assert [row.reason for row in unknown] == ["the system does not say"] * 2 + ["no plan"] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="the counters are Linux's")
def test_our_own_process_and_a_real_file(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"x" * (1 << 20))
    assert forget([file])
    assert file.stat().st_size == 1 << 20
    assert all(row.value for row in memory_rows(os.getpid(), 1 << 20))
