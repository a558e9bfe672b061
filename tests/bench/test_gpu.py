"""GPU counters. No GPU is needed: a script named ``nvidia-smi`` stands for the real one, and says what that says (the lines
are of its CSV format; an H100 under its power limit, and one that is too hot).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.bench.gpu import GpuReading, between_gpus, read_gpus

COOL = "1980, 2619, 41, 120.31, 0x0000000000000004"
HOT = "1095, 2619, 88, 310.00, 0x0000000000000060"
MUTE = "[N/A], [N/A], 41, [N/A], [N/A]"


@pytest.fixture(autouse=True)
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave pynvml out, whether it is installed or not: the program is asked."""
    monkeypatch.setitem(sys.modules, "pynvml", None)


def say(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str, code: int = 0) -> None:
    """Put a ``nvidia-smi`` on PATH that stands for the real one."""
    program = folder / "nvidia-smi"
    asked = "clocks.sm,clocks.mem,temperature.gpu,power.draw,clocks_throttle_reasons.active"
    text = "".join(f"echo '{line}'\n" for line in lines)
    program.write_text(
        f'#!/bin/sh\n[ "$1 $2" = "--query-gpu={asked} --format=csv,noheader,nounits" ] || exit 2\n{text}exit {code}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_what_nvidia_smi_says_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(tmp_path, monkeypatch, COOL, MUTE)
    (cool, mute), reason = read_gpus()
    assert reason == ""
    assert replace(cool, wall=0.0) == GpuReading(0.0, 1980.0, 2619.0, 41.0, 120.31, 4)
    assert replace(mute, wall=0.0) == GpuReading(0.0, None, None, 41.0, None, None)


def test_without_it_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_gpus() == ((), "neither pynvml nor nvidia-smi is here")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "pynvml", None)
    say(tmp_path, monkeypatch, "NVIDIA-SMI has failed", code=9)
    gpus, reason = read_gpus()
    assert gpus == () and reason.startswith("nvidia-smi failed: ") and "9" in reason


def test_a_gpu_that_was_throttled_speaks_against_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(tmp_path, monkeypatch, COOL)
    before, _ = read_gpus()
    assert between_gpus(before, *read_gpus()).against == (), "at its power limit a GPU is as it always is"
    say(tmp_path, monkeypatch, HOT)
    found = between_gpus(before, *read_gpus())
    assert found.against == ("the clocks of GPU 0 were throttled: heat, by software, heat, by hardware",)


def test_energy_is_counted_or_estimated_and_says_which() -> None:
    one, two = GpuReading(10.0, watts=100.0), GpuReading(12.0, watts=200.0)
    estimated = between_gpus([one], [two])
    assert (estimated.joules, estimated.energy_by) == (300.0, "power at both ends")
    counted = between_gpus([replace(one, joules=5.0)], [replace(two, joules=255.0)])
    assert (counted.joules, counted.energy_by) == (250.0, "counter")
    nothing = between_gpus([], [], "no GPU")
    assert (nothing.joules, nothing.reason, nothing.against) == (None, "no GPU", ())
