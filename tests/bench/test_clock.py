"""CPU time of another process, live."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from pipeline.bench.clock import process_cpu_seconds


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this clock")
def test_a_busy_process_uses_time_and_an_idle_one_none() -> None:
    with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as busy, subprocess.Popen(["sleep", "60"]) as idle:
        try:
            began = [process_cpu_seconds(child.pid) for child in (busy, idle)]
            time.sleep(0.5)
            ended = [process_cpu_seconds(child.pid) for child in (busy, idle)]
        finally:
            busy.kill()
            idle.kill()
    used = [
        after - before for before, after in zip(began, ended, strict=True) if before is not None and after is not None
    ]
    assert used[0] > 0.02
    assert used[1] < 0.02


def test_nobody_tells_of_a_dead_process() -> None:
    with subprocess.Popen(["true"]) as child:
        pass
    assert process_cpu_seconds(child.pid) is None
