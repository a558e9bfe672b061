"""What the machine did while something ran: counters read before and after. What a system doesn't tell is None."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.bench.clock import process_cpu_seconds
from pipeline.core.cgroup import held_seconds

# In what /proc/stat counts.
TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
# The columns of its lines, the name counted. Guests are part of user and nice.
_USER, _NICE, _SYSTEM, _IDLE, _IOWAIT, _IRQ, _SOFTIRQ, _STEAL = range(1, 9)


@dataclass(frozen=True)
class Reading:
    """Counters at one moment; all but ``load``, ``mhz`` and ``celsius`` only grow, but for what the kernel takes back.

    ``wall`` and ``cpu`` (of the measured process, all threads) in seconds; ``switches``: how often its threads were made
    to give way; ``pressure``: seconds in which some task of the machine waited for ``cpu``, ``memory`` or ``io``;
    ``stolen``: seconds that the hypervisor gave to others; ``throttled``: how often a core was slowed for heat;
    ``mhz``: the mean clock of all cores; ``celsius``: the hottest sensor; ``joules``: energy that the processors took,
    by their own counters, which only root may read on most systems; ``waited``: for each thread of the process, by its
    number, the seconds in which it was ready to run and had no core; ``busy`` and ``idle``: seconds in which cores worked,
    for whomever, and had nothing to do. These two and ``stolen`` are sums over the cores that the process may use.
    ``held``: seconds of cores for which the quotas of our cgroups held back what is in them.
    """

    wall: float
    cpu: float | None = None
    switches: int | None = None
    pressure: tuple[tuple[str, float], ...] = ()
    stolen: float | None = None
    load: float | None = None
    throttled: int | None = None
    mhz: float | None = None
    celsius: float | None = None
    joules: float | None = None
    waited: tuple[tuple[str, float], ...] = ()
    busy: float | None = None
    idle: float | None = None
    held: float | None = None


def read(pid: int, root: Path = Path("/")) -> Reading:
    """Read all counters now, for the process ``pid``. ``root`` is where ``/proc`` and ``/sys`` are looked for. Takes less
    than a millisecond on most machines.
    """
    wall, cpu = time.monotonic(), process_cpu_seconds(pid)
    proc, cpus = root / "proc", root / "sys/devices/system/cpu"
    throttles = _numbers(cpus.glob("cpu[0-9]*/thermal_throttle/*_throttle_count"))
    clocks = _numbers(cpus.glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))
    heat = _numbers((root / "sys/class/thermal").glob("thermal_zone*/temp"))
    # Packages alone: the counters of their cores and memory controllers are part of theirs, and theirs of the platform's.
    packages = (root / "sys/class/powercap").glob("intel-rapl:*/energy_uj")
    energy = _numbers(path for path in packages if _text(path.parent / "name").startswith("package"))
    cores = _cores(proc / "stat", _allowed(proc / str(pid) / "status"))
    return Reading(
        wall,
        cpu,
        _switches(proc / str(pid) / "task"),
        tuple((kind, seconds) for kind in ("cpu", "memory", "io") if (seconds := _pressure(proc, kind)) is not None),
        _sum(cores, _STEAL),
        _load(proc / "loadavg"),
        int(sum(throttles)) if throttles else None,
        sum(clocks) / len(clocks) / 1000 if clocks else _cpuinfo_mhz(proc / "cpuinfo"),
        max(heat) / 1000 if heat else None,
        sum(energy) / 1e6 if energy else None,
        tuple(_waited(proc / str(pid) / "task")),
        _sum(cores, _USER, _NICE, _SYSTEM, _IRQ, _SOFTIRQ),
        _sum(cores, _IDLE, _IOWAIT),
        held_seconds(root),
    )


def _switches(tasks: Path) -> int | None:
    found = [re.search(r"nonvoluntary_ctxt_switches:\s+(\d+)", _text(task / "status")) for task in _listed(tasks)]
    counts = [int(match[1]) for match in found if match]
    return sum(counts) if counts else None


def _waited(tasks: Path) -> Iterator[tuple[str, float]]:
    """Yield each thread's time on the run queue: the second number of its ``schedstat``, in nanoseconds."""
    for task in _listed(tasks):
        columns = _text(task / "schedstat").split()
        if len(columns) == 3 and columns[1].isdigit():
            yield task.name, int(columns[1]) / 1e9


def _pressure(proc: Path, kind: str) -> float | None:
    found = re.search(r"^some .*total=(\d+)", _text(proc / "pressure" / kind), re.MULTILINE)
    return int(found[1]) / 1e6 if found else None


def _cores(stat: Path, allowed: Collection[int]) -> list[list[str]]:
    """Return the columns of each core of ``allowed``, or of all together where those are not told; none where the kernel does not
    say, or something else took its place, as lxcfs does in containers: that tells of this container alone.
    """
    lines = [columns for line in _text(stat).splitlines() if len(columns := line.split()) > _STEAL]
    if not lines or stat.stat().st_dev != stat.parent.stat().st_dev:
        return []
    names = {f"cpu{core}" for core in allowed}
    return [one for one in lines if one[0] in names] or [one for one in lines if one[0] == "cpu"]


def _allowed(status: Path) -> list[int]:
    found = re.search(r"^Cpus_allowed_list:\s*([0-9,-]+)$", _text(status), re.MULTILINE)
    parts = [part.split("-") for part in found[1].split(",")] if found else []
    return [core for part in parts for core in range(int(part[0]), int(part[-1]) + 1)]


def _sum(cores: Sequence[Sequence[str]], *which: int) -> float | None:
    return sum(int(columns[one]) for columns in cores for one in which) * TICK_SECONDS if cores else None


def _load(loadavg: Path) -> float | None:
    first = _text(loadavg).partition(" ")[0]
    return float(first) if first else None


def _cpuinfo_mhz(cpuinfo: Path) -> float | None:
    found = [float(mhz) for mhz in re.findall(r"^cpu MHz\s*:\s*([0-9.]+)", _text(cpuinfo), re.MULTILINE)]
    return sum(found) / len(found) if found else None


def _numbers(paths: Iterable[Path]) -> list[float]:
    return [float(text) for path in paths if (text := _text(path)).lstrip("-").isdigit()]


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
