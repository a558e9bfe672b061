"""How much CPU time another process has used so far: what tells a slow program from one kept waiting."""

from __future__ import annotations

import sys
import time


def process_cpu_seconds(pid: int) -> float | None:
    """Return the CPU time of all threads of a live process, in seconds; None where nobody tells."""
    if sys.platform != "linux":
        return None
    try:
        # The clock that clock_getcpuclockid(3) gives: the pid's complement, and kind 2 (CPUCLOCK_SCHED).
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return None
