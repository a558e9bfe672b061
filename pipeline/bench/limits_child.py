"""Probes memory bandwidth and arithmetic: ``python limits_child.py THREADS SECONDS``; one JSON object on stdout with all
measurements of both: the rate in bytes/s or operations/s, and the share of the time for which the threads ran.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

Rate = tuple[float, float]
ARRAY_BYTES = 256 << 20
ROUNDS = 3
WIDTH = 1024


def bandwidth(threads: int, seconds: float) -> list[Rate]:
    """Read ``ARRAY_BYTES`` again and again, each thread its own part. Filled first, or every page would be the same one."""
    array = np.ones(ARRAY_BYTES // 8, dtype=np.int64)
    parts = np.array_split(array, threads)
    with ThreadPoolExecutor(threads) as pool:
        return _rates(lambda: list(pool.map(np.max, parts)), array.nbytes, seconds, threads)


def arithmetic(threads: int, seconds: float) -> list[Rate]:
    """Multiply two square matrices again and again."""
    one = np.random.default_rng(0).random((WIDTH, WIDTH), dtype=np.float32)
    return _rates(lambda: one @ one, 2 * WIDTH**3, seconds, threads)


def _rates(work: Callable[[], object], amount: int, seconds: float, threads: int) -> list[Rate]:
    work()  # wakes threads and caches
    rates, end = list[Rate](), time.perf_counter() + seconds
    while len(rates) < ROUNDS or time.perf_counter() < end:
        began, used = time.perf_counter(), time.process_time()
        work()
        took, used = time.perf_counter() - began, time.process_time() - used
        rates.append((amount / took, used / (took * threads)))
    return rates


if __name__ == "__main__":
    threads, seconds = int(sys.argv[1]), float(sys.argv[2])
    found = {"memory_bandwidth": bandwidth(threads, seconds / 2), "arithmetic": arithmetic(threads, seconds / 2)}
    print(json.dumps(found))
