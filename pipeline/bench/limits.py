"""What this machine could do at most: memory bandwidth and arithmetic, probed in two seconds, and how near a model comes.

Bandwidth: the fastest of several readings of an array much larger than any cache, by as many threads as the model runs
on. Arithmetic: the fastest of several multiplications of two float32 matrices by numpy's BLAS on as many threads. Kernels
for quantized weights multiply 8-bit integers and may be faster than that: a share above 1 of the arithmetic is then no
fault. Both are of the CPU: with layers on a GPU there is no limit to compare with, and the rows say so.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.bench.model import BenchRow
from pipeline.bench.validity import LEAST_SHARE
from pipeline.core.errors import EngineError
from pipeline.core.proc import run
from pipeline.gguf.work import Work

CHILD = Path(__file__).with_name("limits_child.py")
SECONDS = 2.0
_NO_GPU = "layers run on a GPU; the limits that are probed are the CPU's"


def probe(threads: int, seconds: float = SECONDS) -> tuple[BenchRow, ...]:
    """Return this machine's limits on ``threads`` threads: bytes/s read from memory, float32 operations/s. Raises
    EngineError when the probe can't be run.
    """
    found = measure(threads, seconds)
    return tuple(
        _limit(f"threads={threads}", metric, unit, found[metric])
        for metric, unit in (("memory_bandwidth", "bytes/s"), ("arithmetic", "operations/s"))
    )


def measure(threads: int, seconds: float = SECONDS) -> dict[str, list[tuple[float, float]]]:
    """Return every measurement of each limit: its rate, and the share of the time for which the threads ran."""
    # BLAS takes its number of threads from the environment, once, so that the probe has a process of its own.
    blas = {name: str(threads) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent", **blas}
    done = run([sys.executable, "-P", str(CHILD), str(threads), str(seconds)], env=environment, timeout=120)
    try:
        return {metric: [(rate, share) for rate, share in rates] for metric, rates in json.loads(done.stdout).items()}
    except ValueError:
        raise EngineError(f"the probe of this machine's limits failed ({done.ending})\n{done.tail(5)}") from None


def _limit(test: str, metric: str, unit: str, measured: Sequence[tuple[float, float]]) -> BenchRow:
    """Return the fastest of the measurements that count: those whose threads were not kept waiting."""
    rates = [rate for rate, share in measured if share >= LEAST_SHARE]
    detail = {"measured": len(measured), "cpu_share": round(max(share for _, share in measured), 4)}
    if rates:
        return BenchRow("machine", test, metric, max(rates), unit, tuple(rates), detail=detail)
    why = f"inconclusive: the probe's threads were kept waiting in all of {len(measured)} measurements"
    return BenchRow("machine", test, metric, None, unit, (), why, detail, inconclusive=True)


def shares(
    rows: Iterable[BenchRow], limits: Iterable[BenchRow], work: Work, *, offloaded: bool
) -> tuple[BenchRow, ...]:
    """Return, for each decode and prefill speed of the engine, the share of the limit that it reaches: bytes that decoding
    reads over the bandwidth, operations of prefill over the arithmetic.
    """
    most = {row.metric: row.value for row in limits}
    found = []
    for row in rows:
        if row.layer != "engine" or row.metric not in ("decode_tok_s", "prefill_tok_s"):
            continue
        decode = row.metric == "decode_tok_s"
        limit = most.get("memory_bandwidth" if decode else "arithmetic")
        each = work.decode_bytes(depth_of(row.test)) if decode else float(work.operations)
        metric = "decode_bandwidth_share" if decode else "prefill_arithmetic_share"
        reason = row.reason or (_NO_GPU if offloaded else "") or ("" if limit else "the machine's limit is not known")
        value = None if reason or row.value is None or not limit else row.value * each / limit
        detail = {"limit": limit, "each_token": each, "unit": "bytes" if decode else "operations"}
        found.append(BenchRow("machine", row.test, metric, value, "share", (), reason, detail))
    return tuple(found)


def depth_of(test: str) -> float:
    """Return the mean number of tokens before the one that is decoded: ``tg64+d1024`` has 1024 + 64 / 2."""
    length, _, depth = test.partition("+d")
    return int(depth or 0) + int(length[2:]) / 2
