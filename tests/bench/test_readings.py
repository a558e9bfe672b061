"""The machine's counters, from made-up ``/proc`` and ``/sys`` and from the real ones."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from pipeline.bench.readings import read


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_every_counter_is_read(tmp_path: Path) -> None:
    put(tmp_path, "proc/7/task/7/status", "Name:\tx\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t3\n")
    put(tmp_path, "proc/7/status", "Name:\tx\nCpus_allowed_list:\t0,2-3\n")
    put(tmp_path, "proc/7/task/8/status", "nonvoluntary_ctxt_switches:\t4\n")
    put(tmp_path, "proc/7/task/7/schedstat", "5000000000 1500000000 77\n")
    for kind in ("cpu", "memory", "io"):
        put(tmp_path, f"proc/pressure/{kind}", "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull total=9\n")
    ticks = os.sysconf("SC_CLK_TCK")
    columns = f"1 2 3 4 5 6 7 {ticks} 9 10"
    put(
        tmp_path,
        "proc/stat",
        "\n".join(f"cpu{core} {columns}" for core in (" ", *range(4))) + "\nintr 1 2 3 4 5 6 7 8 9\n",
    )
    put(tmp_path, "proc/loadavg", "1.50 1.00 0.50 1/100 7\n")
    for core, mhz in ((0, 2_000_000), (1, 3_000_000)):
        put(tmp_path, f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq", str(mhz))
        put(tmp_path, f"sys/devices/system/cpu/cpu{core}/thermal_throttle/core_throttle_count", "2")
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "45000")
    put(tmp_path, "sys/class/thermal/thermal_zone1/temp", "71500")
    zones = {
        "intel-rapl:0": ("package-0", 5),
        "intel-rapl:1": ("package-1", 7),
        "intel-rapl:0:0": ("core", 4),
        "intel-rapl:2": ("psys", 20),
    }
    for zone, (name, joules) in zones.items():
        put(tmp_path, f"sys/class/powercap/{zone}/name", name + "\n")
        put(tmp_path, f"sys/class/powercap/{zone}/energy_uj", str(joules * 1_000_000))
    put(tmp_path, "proc/self/cgroup", "0::/job\n")
    put(tmp_path, "proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    put(tmp_path, "sys/fs/cgroup/job/cpu.stat", "usage_usec 9000000\nnr_throttled 4\nthrottled_usec 1500000\n")
    found = read(7, tmp_path)
    assert found.held == 1.5
    assert found.waited == (("7", 1.5),)
    assert found.joules == 12.0, "what is part of a package, or what a package is part of, is not counted twice"
    assert (found.switches, found.stolen, found.load) == (7, 3.0, 1.5)
    assert found.busy == pytest.approx(3 * 19 / ticks) and found.idle == pytest.approx(3 * 9 / ticks)
    other = read(8, tmp_path)
    assert other.stolen == 1.0 and other.idle == pytest.approx(9 / ticks), "who may use which cores is not told: all"
    assert found.pressure == (("cpu", 2.5), ("memory", 2.5), ("io", 2.5))
    assert (found.throttled, found.mhz, found.celsius) == (4, 2500.0, 71.5)


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    found = read(os.getpid(), tmp_path)
    assert (found.switches, found.pressure, found.stolen, found.load) == (None, (), None, None)
    assert (found.throttled, found.mhz, found.celsius, found.joules, found.busy, found.idle) == (None,) * 6
    assert found.held is None


def test_what_a_container_put_in_place_of_the_kernels_counter_is_not_asked(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    put(tmp_path, "proc/stat", "cpu  1 2 3 4 5 6 7 8 9 10\n")
    assert read(7, tmp_path).busy is not None
    with tempfile.NamedTemporaryFile("w", dir=other) as elsewhere:
        elsewhere.write("cpu  1 2 3 4 5 6 7 8 9 10\n")
        elsewhere.flush()
        (tmp_path / "proc/stat").unlink()
        (tmp_path / "proc/stat").symlink_to(elsewhere.name)
        found = read(7, tmp_path)
    assert (found.busy, found.idle, found.stolen) == (None, None, None)


def test_a_virtual_machine_says_its_clock_elsewhere(tmp_path: Path) -> None:
    put(tmp_path, "proc/cpuinfo", "processor\t: 0\ncpu MHz\t\t: 2000.5\n\nprocessor\t: 1\ncpu MHz\t\t: 3000.5\n")
    assert read(1, tmp_path).mhz == 2500.5


@pytest.mark.skipif(sys.platform != "linux", reason="the counters are Linux's")
def test_our_own_process_on_the_real_machine() -> None:
    one = read(os.getpid())
    sum(range(3_000_000))
    two = read(os.getpid())
    assert one.cpu is not None and two.cpu is not None
    assert two.wall > one.wall and two.cpu > one.cpu
    assert one.load is not None
