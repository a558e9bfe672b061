"""What the GPUs did while something ran: clocks, heat, power, and why they were slowed. NVIDIA's alone.

Asked of NVML where ``pynvml`` is installed (the extra ``gpu``), else of ``nvidia-smi``, which takes tenths of a second: so
only at the ends of a series. What neither tells is None, with the reason.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

# Bits of NVML's clocks event reasons that slow a GPU against its will. Those of power within its limit (0x4) and of idleness
# (0x1) are its normal state.
SLOWED = {0x8: "hardware slowdown", 0x20: "heat, by software", 0x40: "heat, by hardware", 0x80: "power brake"}
TIMEOUT_SECONDS = 10.0
_QUERY = ("clocks.sm", "clocks.mem", "temperature.gpu", "power.draw", "clocks_throttle_reasons.active")


@dataclass(frozen=True)
class GpuReading:
    """One GPU at one moment: clocks in MHz, degrees, watts, energy since the driver was loaded in joules, and the bits of
    why it is slowed. None where it doesn't say.
    """

    wall: float
    sm_mhz: float | None = None
    memory_mhz: float | None = None
    celsius: float | None = None
    watts: float | None = None
    slowed: int | None = None
    joules: float | None = None


@dataclass(frozen=True)
class GpuConditions:
    """How all GPUs ran between two moments. ``joules`` by their counters, or by the mean of both ends' power, which
    ``energy_by`` says; ``against``: what speaks against the figures.
    """

    before: tuple[GpuReading, ...]
    after: tuple[GpuReading, ...]
    joules: float | None
    energy_by: str
    against: tuple[str, ...]
    reason: str = ""

    def content(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)


def read_gpus() -> tuple[tuple[GpuReading, ...], str]:
    """Return a reading of each GPU, and why there is none."""
    try:
        import pynvml
    except ImportError:
        return _by_program()
    try:
        pynvml.nvmlInit()
        try:
            return tuple(_by_library(pynvml, number) for number in range(pynvml.nvmlDeviceGetCount())), ""
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        return (), f"NVML: {error}"


def between_gpus(before: Sequence[GpuReading], after: Sequence[GpuReading], reason: str = "") -> GpuConditions:
    """Judge what ran between two readings of the same GPUs. ``reason``: why there are none."""
    against = []
    for number, (one, two) in enumerate(zip(before, after, strict=False)):
        bits = (one.slowed or 0) | (two.slowed or 0)
        if why := ", ".join(name for bit, name in SLOWED.items() if bits & bit):
            against.append(f"the clocks of GPU {number} were throttled: {why}")
    joules, how = _energy(before, after)
    return GpuConditions(tuple(before), tuple(after), joules, how, tuple(against), reason)


def _energy(before: Sequence[GpuReading], after: Sequence[GpuReading]) -> tuple[float | None, str]:
    pairs = list(zip(before, after, strict=False))
    counted = [two.joules - one.joules for one, two in pairs if one.joules is not None and two.joules is not None]
    if pairs and len(counted) == len(pairs):
        return sum(counted), "counter"
    powers = [
        (one.watts + two.watts) / 2 * (two.wall - one.wall)
        for one, two in pairs
        if one.watts is not None and two.watts is not None
    ]
    if pairs and len(powers) == len(pairs):
        return sum(powers), "power at both ends"
    return None, "the GPUs don't say"


def _by_program() -> tuple[tuple[GpuReading, ...], str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return (), "neither pynvml nor nvidia-smi is here"
    argv = [program, f"--query-gpu={','.join(_QUERY)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return (), f"nvidia-smi failed: {error}"
    now = time.monotonic()
    return tuple(_line(now, line) for line in done.stdout.splitlines() if line.strip()), ""


def _line(now: float, line: str) -> GpuReading:
    """Read one line: ``1980, 2619, 41, 120.31, 0x0000000000000004``; what a GPU can't tell is ``[N/A]``."""
    values = [value.strip() for value in line.split(",")] + [""] * len(_QUERY)
    bits = values[4]
    slowed = int(bits, 16) if bits.startswith("0x") else None
    sm, memory, celsius, watts = (_number(value) for value in values[:4])
    return GpuReading(now, sm, memory, celsius, watts, slowed)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _by_library(nvml: Any, number: int) -> GpuReading:
    device = nvml.nvmlDeviceGetHandleByIndex(number)

    def ask(name: str, *arguments: Any) -> Any:
        try:
            return getattr(nvml, name)(device, *arguments)
        except nvml.NVMLError:
            return None

    watts, joules = ask("nvmlDeviceGetPowerUsage"), ask("nvmlDeviceGetTotalEnergyConsumption")
    return GpuReading(
        time.monotonic(),
        ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_SM),
        ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_MEM),
        ask("nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU),
        None if watts is None else watts / 1000,
        ask("nvmlDeviceGetCurrentClocksThrottleReasons"),
        None if joules is None else joules / 1000,
    )
