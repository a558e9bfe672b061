"""What a server's process takes: seconds until it is ready, with and without its weights in the page cache, and memory,
beside what was planned for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.bench.model import BenchRow
from pipeline.bench.readings import read
from pipeline.bench.validity import MOST_WAITED

LEAST_READ = 0.5
_SILENT = "the system does not say"


@dataclass(frozen=True)
class Started:
    """One start: seconds until ready, the bytes that came from storage and not from the page cache, and the share of the
    time for which one of its threads waited for a core; None where nobody tells.
    """

    seconds: float
    read_bytes: int | None
    waited: float | None = None


def started(pid: int, seconds: float, root: Path = Path("/")) -> Started:
    """Return what the start of the process ``pid`` took, which is ready now."""
    waited = max((share for _, share in read(pid, root).waited), default=None)
    share = waited / seconds if waited is not None and seconds > 0 else None
    return Started(seconds, _number(root / f"proc/{pid}/io", r"^read_bytes: (\d+)$"), share)


def forget(paths: Iterable[Path]) -> bool:
    """Ask the kernel to drop files from its page cache; tells whether it can be asked. It may keep what others use."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fdatasync(descriptor)  # what is not on disk yet can't be dropped
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
    return True


def load_rows(cold: Started | None, warm: Started, size: int) -> tuple[BenchRow, ...]:
    """Return the rows of both starts for weights of ``size`` bytes. A cold start counts only if at least half of them came
    from storage, and any only if its threads did not wait for a core.
    """
    reason = ""
    if cold is None:
        reason = "this system can't be asked to drop a file from its page cache"
    elif cold.read_bytes is None:
        reason = "the system does not say what was read from storage"
    elif cold.read_bytes < LEAST_READ * size:
        reason = f"the system kept the file in memory: {cold.read_bytes} of {size} bytes came from storage"
    how = {"page_cache": "dropped for the weights by posix_fadvise(DONTNEED)"}
    return _load("cold", cold, size, reason, how), _load("warm", warm, size, "", {})


def _load(test: str, start: Started | None, size: int, reason: str, detail: dict[str, Any]) -> BenchRow:
    disturbed = start is not None and start.waited is not None and start.waited > MOST_WAITED and not reason
    if start is None:
        return _row(test, "load_seconds", None, "s", reason, detail)
    if disturbed:
        reason = f"inconclusive: one of its threads waited for a core {start.waited:.0%} of the time"
    detail |= {"size": size, "read_bytes": start.read_bytes, "waited": start.waited, "measured": start.seconds}
    row = _row(test, "load_seconds", None if reason else start.seconds, "s", reason, detail)
    return replace(row, inconclusive=disturbed)


def memory_rows(pid: int, planned: int | None, why: str = "", root: Path = Path("/")) -> tuple[BenchRow, ...]:
    """Return the most memory that the process ``pid`` ever had resident (``VmHWM``), its share of all memory now (``Pss``),
    and both beside ``planned`` bytes for weights and KV cache; ``why`` says why there is no plan.
    """
    process = root / f"proc/{pid}"
    peak = _number(process / "status", r"^VmHWM:\s+(\d+) kB$", 1024)
    pss = _number(process / "smaps_rollup", r"^Pss:\s+(\d+) kB$", 1024)
    ratio = peak / planned if peak and planned else None
    detail = {"planned": planned, "peak": peak}
    return (
        _row("process", "peak_memory_bytes", peak, "bytes", _SILENT, {"counter": "VmHWM"}),
        _row("process", "pss_bytes", pss, "bytes", _SILENT, {"counter": "Pss in smaps_rollup"}),
        _row("process", "planned_memory_bytes", planned, "bytes", why or _SILENT, {}),
        _row("process", "memory_share_of_plan", ratio, "share", why or _SILENT, detail),
    )


def _number(path: Path, pattern: str, unit: int = 1) -> int | None:
    try:
        found = re.search(pattern, path.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * unit if found else None


def _row(test: str, metric: str, value: float | None, unit: str, reason: str, detail: dict[str, Any]) -> BenchRow:
    samples = () if value is None else (value,)
    return BenchRow("service", test, metric, value, unit, samples, "" if value is not None else reason, detail)
