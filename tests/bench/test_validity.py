"""What speaks against a repetition, by the machine's counters."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import pytest

from pipeline.bench.readings import Reading, read
from pipeline.bench.validity import Conditions, between

ZERO = Reading(
    0.0,
    0.0,
    0,
    (("cpu", 0.0), ("memory", 0.0), ("io", 0.0)),
    0.0,
    1.0,
    0,
    2000.0,
    50.0,
    100.0,
    (("7", 0.0),),
    0.0,
    0.0,
    0.0,
)
AFTER = Reading(
    10.0,
    20.0,
    5,
    (("cpu", 0.5), ("memory", 0.0), ("io", 0.0)),
    0.0,
    1.0,
    0,
    2100.0,
    60.0,
    350.0,
    (("7", 0.1), ("8", 0.2)),
    21.0,
    19.0,
    0.2,
)


def judged(*, offloaded: bool = False, **changes: Any) -> Conditions:
    return between(ZERO, replace(AFTER, **changes), threads=2, offloaded=offloaded)


def test_a_program_that_was_left_alone_counts() -> None:
    found = judged()
    assert found.valid
    assert (found.share, found.switches, found.stolen, found.throttled) == (1.0, 5, 0.0, 0)
    assert found.pressure == {"cpu": 0.05, "memory": 0.0, "io": 0.0}
    assert (found.joules, found.over(1.0).joules) == (250.0, 25.0)
    assert found.missing == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cpu": 18.0}, "its threads ran 90% of the time: something else used the cores"),
        ({"cpu": 10.0, "held": 5.0}, "its threads ran 50% of the time: the CPU quota of its cgroup held it back"),
        ({"cpu": 18.0, "held": 0.6}, "its threads ran 90% of the time: something else used the cores"),
        ({"stolen": 0.9}, "the hypervisor gave 4% of the time"),  # of that of two cores
        ({"pressure": (("cpu", 3.0),)}, "tasks waited for a core 30% of the time"),
        ({"pressure": (("memory", 2.0),)}, "memory was short 20% of the time"),
        ({"throttled": 7}, "cores were slowed for heat 7 times"),
    ],
)
def test_what_speaks_against_it(changes: dict[str, Any], words: str) -> None:
    found = judged(**changes)
    assert not found.valid
    assert words in found.against[0]


@pytest.mark.parametrize(
    ("waited", "busy", "idle", "valid"),
    [
        (0.2, 40.0, 0.0, True),  # hardly
        (0.9, None, None, False),  # nobody knows for whom
        (0.9, 16.0, 24.0, True),  # for the others of those that are measured
        (0.9, 16.8, 23.2, True),  # so little more may be chance, on four cores at rest for most of the time
        (0.9, 16.8, 0.0, False),  # but not on two that never rest
        (0.9, 30.0, 10.0, False),
    ],
)
def test_what_rests_between_requests_may_wait_for_its_own_but_not_for_others(
    waited: float, busy: float | None, idle: float | None, valid: bool
) -> None:
    pressed = replace(AFTER, cpu=1.0, waited=(("7", 0.0), ("8", waited)), busy=busy, idle=idle)
    found = between(ZERO, pressed, threads=2, offloaded=False, steady=False, beside=15.0)
    assert found.valid == valid and found.waited == pytest.approx(waited / 10)
    assert found.others == (None if busy is None else pytest.approx((busy - 16.0) / 10))
    assert ("others" in found.missing) == (busy is None)
    whom = "something else used the cores" if busy else "nobody knows for whom"
    assert valid or found.against == (f"one of its threads waited for a core 9% of the time: {whom}",)


def test_what_a_quota_made_wait_is_told_apart() -> None:
    pressed = replace(AFTER, cpu=1.0, waited=(("7", 5.0),), busy=30.0, idle=10.0)
    for held, why in ((5.0, "the CPU quota of its cgroup held it back"), (1.0, "something else used the cores")):
        found = between(ZERO, replace(pressed, held=held), threads=2, offloaded=False, steady=False)
        assert found.against == (f"one of its threads waited for a core 50% of the time: {why}",)


def test_what_the_ticks_are_too_coarse_for_is_bounded() -> None:
    waited = replace(AFTER, wall=0.2, cpu=0.2, waited=(("7", 0.1),), idle=3.0)
    for more, valid in ((0.02, True), (0.04, False)):  # 0.1 and 0.2 of a core
        found = between(ZERO, replace(waited, busy=0.2 + more), threads=1, offloaded=False, steady=False)
        assert found.valid == valid


@pytest.mark.parametrize(
    "after", [{"busy": 10.0, "idle": -0.01}, {"busy": -1.0, "idle": 2.0}, {"busy": 0.0, "idle": 0.0}]
)
def test_a_counter_that_the_kernel_took_back_tells_nothing(after: dict[str, Any]) -> None:
    assert between(ZERO, replace(AFTER, **after), threads=2, offloaded=False).others is None
    assert between(ZERO, AFTER, threads=2, offloaded=False, beside=None).others is None


def test_what_ran_on_one_thread_between_two_repetitions_is_not_held_against_them() -> None:
    found = between(ZERO, replace(AFTER, cpu=17.0), threads=2, offloaded=False, working=7.0)  # 2 x 7 + 3
    assert found.valid and found.share == 1.0
    assert not between(ZERO, replace(AFTER, cpu=17.0), threads=2, offloaded=False).valid


def test_waiting_for_ones_own_is_no_pressure_of_others_and_stolen_time_is() -> None:
    crowded = replace(AFTER, pressure=(("cpu", 5.0),), waited=(("7", 2.0),), busy=20.0, idle=0.0)
    alone, beside = (
        between(ZERO, replace(crowded, stolen=stolen), threads=2, offloaded=False, steady=False)
        for stolen in (0.0, 1.0)
    )
    assert alone.valid and alone.others == 0.0
    assert len(beside.against) == 3 and beside.others == pytest.approx(0.1)


def test_an_energy_counter_that_began_anew_tells_nothing() -> None:
    assert judged(joules=50.0).joules is None


def test_the_host_of_a_gpu_may_wait() -> None:
    assert judged(cpu=1.0, pressure=(("cpu", 9.0),), offloaded=True).valid
    assert not judged(throttled=1, offloaded=True).valid


def test_what_a_system_does_not_tell_is_said_and_not_judged() -> None:
    found = between(Reading(0.0), Reading(10.0), threads=1, offloaded=False)
    assert found.valid
    assert (found.share, found.stolen, found.pressure, found.mhz) == (None, None, {}, None)
    assert set(found.missing) == {
        "share",
        "stolen",
        "pressure",
        "throttled",
        "mhz",
        "celsius",
        "joules",
        "waited",
        "others",
        "held",
    }
    brief = between(
        ZERO, replace(AFTER, wall=0.1, cpu=0.2, stolen=0.1, pressure=(("cpu", 0.1),)), threads=2, offloaded=False
    )
    assert brief.valid, "counters that are summed up every two seconds say nothing of a tenth of one"
    assert brief.missing["pressure"] == "shorter than 4 s"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells another process's CPU time")
def test_a_sleeper_and_a_worker_are_told_apart() -> None:
    with (
        subprocess.Popen(["sleep", "60"]) as idle,
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy,
    ):
        try:
            began = [read(child.pid) for child in (idle, busy)]
            time.sleep(0.6)
            ended = [read(child.pid) for child in (idle, busy)]
        finally:
            idle.kill()
            busy.kill()
    asleep, awake = (between(*pair, threads=1, offloaded=False) for pair in zip(began, ended, strict=True))
    assert not asleep.valid
    assert asleep.share is not None and awake.share is not None
    assert asleep.share < 0.1 < awake.share
