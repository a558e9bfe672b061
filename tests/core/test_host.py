"""The fingerprint of this machine, and of trees as other machines show them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core import host
from pipeline.core.digest import Digest
from pipeline.core.host import Gpu, Hardware, hardware, read_hardware

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and /sys")

X86 = (
    "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\n"
    "model name\t: Intel(R) Xeon(R) Gold 6430\nstepping\t: 8\nflags\t\t: fpu sse2 {flags}\n\n"
    "processor\t: 1\nmodel name\t: another\n"
)
V3 = "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3 avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"
ARM = (
    "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm bf16\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
    "CPU part\t: 0xd4f\nCPU revision\t: 1\n"
)


def machine(root: Path, cpuinfo: str) -> Hardware:
    for name, content in {
        "proc/cpuinfo": cpuinfo,
        "proc/meminfo": "MemTotal:       24684096 kB\nMemFree:         1000000 kB\n",
        "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return read_hardware(root)


@pytest.fixture
def fingerprint() -> Hardware:
    return Hardware(
        cpu_model="Intel(R) Xeon(R) Gold 6430",
        cpu_id="GenuineIntel/6/143/8",
        architecture="x86_64",
        physical_cores=8,
        logical_cores=16,
        cpu_quota=None,
        simd_level="x86-64-v4",
        simd=("avx2", "avx512f"),
        memory=24684096 << 10,
        memory_limit=None,
        gpus=(Gpu("NVIDIA L4", 24 << 30, "550.54.15"),),
        virtual_machine=None,
        container=None,
        system="Linux",
        os="Debian GNU/Linux 12 (bookworm)",
        kernel="6.1.0-18-amd64",
    )


def test_this_machine_is_known_and_stable() -> None:
    here = hardware()
    assert here.digest == read_hardware().digest
    assert isinstance(here.digest, Digest)
    assert 1 <= here.physical_cores <= here.logical_cores
    assert json.loads(json.dumps(here.content())) == here.content()
    assert here.memory is not None
    assert here.memory > 1 << 28
    assert here.simd_level


@linux
def test_an_x86_machine(tmp_path: Path) -> None:
    found = machine(tmp_path, X86.format(flags=f"{V3} hypervisor"))
    assert found.cpu_model == "Intel(R) Xeon(R) Gold 6430"
    assert found.cpu_id == "GenuineIntel/6/143/8"
    assert found.simd_level == "x86-64-v3"
    assert found.simd == ("avx", "avx2", "fma", "f16c", "bmi2")
    assert found.memory == 24684096 * 1024
    assert found.virtual_machine == "virtual"
    assert found.os == "Debian GNU/Linux 12 (bookworm)"


@linux
@pytest.mark.parametrize(
    ("flags", "level"),
    [
        ("", "x86-64"),
        (V3.replace("avx2 ", ""), "x86-64-v2"),
        (f"{V3} avx512f avx512bw avx512cd avx512dq avx512vl", "x86-64-v4"),
        ("avx512f avx512bw avx512cd avx512dq avx512vl", "x86-64"),  # a level needs all below it
    ],
)
def test_simd_levels(tmp_path: Path, flags: str, level: str) -> None:
    assert machine(tmp_path, X86.format(flags=flags)).simd_level == level


@linux
def test_an_arm_machine(tmp_path: Path) -> None:
    found = machine(tmp_path, ARM)
    assert found.cpu_id == "0x41/8/0xd4f/1"
    assert found.cpu_model == "Arm 0x41/8/0xd4f/1"
    assert found.simd_level == "neon+i8mm"


@linux
def test_what_is_unknown_is_none_with_a_reason(tmp_path: Path) -> None:
    found = read_hardware(tmp_path)
    assert found.cpu_model is None
    assert found.memory is None
    assert {"cpu_model", "cpu_id", "memory", "simd_level"} <= dict(found.unknown).keys()


@linux
def test_threads_of_one_core_count_once(tmp_path: Path) -> None:
    usable = sorted(os.sched_getaffinity(0))
    for cpu in usable:
        topology = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology"
        topology.mkdir(parents=True)
        (topology / "core_cpus_list").write_text(",".join(map(str, usable)))
    found = machine(tmp_path, ARM)
    assert (found.physical_cores, found.logical_cores) == (1, len(usable))


@linux
def test_affinity_limits_the_cores() -> None:
    one = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{one}}}); from pipeline.core.host import hardware; h = hardware()"
    done = subprocess.run(
        [sys.executable, "-c", code + "; print(h.physical_cores, h.logical_cores)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(host.__file__).parents[2],
    )
    assert done.stdout.split() == ["1", "1"]


@linux
def test_a_quota_limits_the_cores(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/\n")
    (tmp_path / "proc/self/mountinfo").write_text("31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu.max").write_text("50000 100000\n")
    found = machine(tmp_path, ARM)
    assert (found.cpu_quota, found.physical_cores, found.logical_cores) == (0.5, 1, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"kernel": "6.12.1"},
        {"os": "Ubuntu 26.04"},
        {"container": "docker"},
        {"memory": (24684096 - 70_000) << 10},
        {"gpus": (Gpu("NVIDIA L4", 24 << 30, "550.90.07"),)},
    ],
)
def test_what_leaves_results_comparable(fingerprint: Hardware, change: dict[str, object]) -> None:
    changed = replace(fingerprint, **change)  # type: ignore[arg-type]
    assert changed.digest == fingerprint.digest
    assert changed.content() != fingerprint.content()


@pytest.mark.parametrize(
    "change",
    [
        {"cpu_model": "AMD EPYC 7B13"},
        {"physical_cores": 4},
        {"cpu_quota": 2.0},
        {"simd": ("avx2",)},
        {"memory_limit": 4 << 30},
        {"gpus": ()},
        {"gpus": (Gpu("NVIDIA L4", 24 << 30, "550.54.15"),) * 2},
        {"gpus": (Gpu("NVIDIA L4", 24 << 30, "560.28.03"),)},
        {"virtual_machine": "kvm"},
    ],
)
def test_what_makes_results_another_machines(fingerprint: Hardware, change: dict[str, object]) -> None:
    assert replace(fingerprint, **change).digest != fingerprint.digest  # type: ignore[arg-type]


def test_a_gpu_that_does_not_answer_is_not_a_missing_gpu(fingerprint: Hardware) -> None:
    without = replace(fingerprint, gpus=())
    silent = replace(without, unknown=(("gpus", "nvidia-smi failed: TimeoutExpired"),))
    assert silent.digest != without.digest


def tool(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_gpus_as_nvidia_smi_lists_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(tmp_path, monkeypatch, "echo 'NVIDIA H100 80GB HBM3, 81559, 550.54.15'; echo 'NVIDIA GB10, [N/A], 580.95.05'")
    assert read_hardware(tmp_path).gpus == (
        Gpu("NVIDIA H100 80GB HBM3", 81559 << 20, "550.54.15"),
        Gpu("NVIDIA GB10", None, "580.95.05"),
    )


def test_a_broken_driver_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(tmp_path, monkeypatch, "echo 'NVIDIA-SMI has failed because of X'; exit 9")
    assert dict(read_hardware(tmp_path).unknown)["gpus"] == "nvidia-smi failed: NVIDIA-SMI has failed because of X"


def test_a_hanging_driver_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(host, "GPU_QUERY_SECONDS", 0.3)
    assert dict(read_hardware(tmp_path).unknown)["gpus"] == "nvidia-smi failed: TimeoutExpired"
