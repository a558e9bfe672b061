"""The hardware fingerprint: which results of two machines, or of one machine at two times, may be compared."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from dataclasses import asdict, dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

from pipeline.core import cgroup
from pipeline.core.canonical import digest_of
from pipeline.core.digest import Digest

GPU_QUERY_SECONDS = 5.0
GIB = 1 << 30

# The instruction sets that llama.cpp's kernels choose by, as the kernel spells them.
SIMD_FLAGS = (
    *("avx", "avx2", "fma", "f16c", "bmi2", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512vbmi", "avx512_vnni"),
    *("avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"),
    *("asimd", "asimddp", "asimdhp", "fphp", "i8mm", "bf16", "sve", "sve2", "svei8mm", "sme", "sme2"),
    *("vsx", "zvfh", "v"),  # POWER, RISC-V
)
# The x86-64 psABI's levels, each by the flags it adds that a virtual machine may hide.
X86_LEVELS = (
    ("x86-64", {"sse2"}),
    ("x86-64-v2", {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}),
    ("x86-64-v3", {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}),
    ("x86-64-v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
)
# What the firmware calls itself, and the name we give it.
HYPERVISORS = {
    "qemu": "qemu",
    "kvm": "kvm",
    "vmware": "vmware",
    "virtualbox": "virtualbox",
    "xen": "xen",
    "amazon ec2": "ec2",
    "google compute": "google",
    "virtual machine": "hyper-v",
    "parallels": "parallels",
}


@dataclass(frozen=True)
class Gpu:
    """One graphics processor. ``memory`` in bytes; ``driver`` as its vendor writes it."""

    name: str
    memory: int | None = None
    driver: str | None = None


@dataclass(frozen=True)
class Hardware:
    """What this process can use of its machine. A value that cannot be known is None, and ``unknown`` says why.

    ``cpu_id`` is vendor/family/model/stepping, which tells apart the virtual CPUs that share a vague model name.
    ``physical_cores`` and ``logical_cores`` are those that affinity and the cgroup's quota leave us; ``cpu_quota`` is
    in CPUs. Memory is in bytes.
    """

    cpu_model: str | None
    cpu_id: str | None
    architecture: str
    physical_cores: int
    logical_cores: int
    cpu_quota: float | None
    simd_level: str | None
    simd: tuple[str, ...]
    memory: int | None
    memory_limit: int | None
    gpus: tuple[Gpu, ...]
    virtual_machine: str | None
    container: str | None
    system: str
    os: str
    kernel: str
    unknown: tuple[tuple[str, str], ...] = ()

    def content(self) -> dict[str, Any]:
        """Return the whole fingerprint as plain JSON."""
        content = asdict(self)
        content["simd"] = list(self.simd)
        content["gpus"] = [asdict(gpu) for gpu in self.gpus]
        content["unknown"] = dict(self.unknown)
        return content

    def comparable(self) -> dict[str, Any]:
        """Return the part that two results must share to be compared.

        Left out, since they change under one's feet without changing what is measured: the kernel's and the
        distribution's version, the container, the GPU driver's minor version, and the exact memory size, which a kernel
        update moves by a few MiB. Of memory counts the power of two of GiB below what is usable, for what no longer
        fits is slow. All of it stays in ``content()``.
        """
        usable = min((size for size in (self.memory, self.memory_limit) if size is not None), default=None)
        return {
            "system": self.system,
            "architecture": self.architecture,
            "cpu_model": self.cpu_model,
            "cpu_id": self.cpu_id,
            "physical_cores": self.physical_cores,
            "logical_cores": self.logical_cores,
            "cpu_quota": self.cpu_quota,
            "simd": list(self.simd),
            "memory_class_gib": None if usable is None else 1 << max(0, (usable // GIB).bit_length() - 1),
            # A driver that did not answer is not a machine without a GPU.
            "gpus": None
            if "gpus" in dict(self.unknown)
            else [
                {"name": gpu.name, "memory": gpu.memory, "driver": (gpu.driver or "").split(".")[0]}
                for gpu in self.gpus
            ],
            "virtual_machine": self.virtual_machine,
        }

    @property
    def digest(self) -> Digest:
        """The digest of ``comparable()``: equal digests mean comparable results."""
        return digest_of(self.comparable())


@cache
def hardware() -> Hardware:
    """Return this machine's fingerprint, read once a process."""
    return read_hardware()


def read_hardware(root: Path = Path("/")) -> Hardware:
    """Read the fingerprint. ``root`` is where ``/proc`` and ``/sys`` are looked for. Takes milliseconds, and at most
    ``GPU_QUERY_SECONDS`` where a GPU's driver hangs."""
    darwin = platform.system() == "Darwin"
    unknown: dict[str, str] = {}
    usable = _usable_cpus()
    quota = cgroup.cpu_quota(root)
    if darwin:
        model, cpu_id, flags = _sysctl("machdep.cpu.brand_string"), None, _darwin_flags()
        cores = int(_sysctl("hw.physicalcpu") or len(usable))
        memory = int(_sysctl("hw.memsize") or 0) or None
        unknown |= {
            "cpu_id": "macOS does not show it",
            "memory_limit": "macOS has no cgroups",
            "cpu_quota": "macOS has no cgroups",
        }
    else:
        model, cpu_id, flags = _cpu(root)
        cores = _physical_cores(root, usable)
        memory = _memory(root)
    level = _simd_level(flags)
    gpus = (*_nvidia(unknown), *_amd(root))
    if darwin and platform.machine() == "arm64" and model:
        gpus = (*gpus, Gpu(f"{model} (integrated)", memory))
    for name, value in {"cpu_model": model, "memory": memory, "simd_level": level}.items():
        if value is None:
            unknown.setdefault(name, "the operating system does not say")
    if not darwin and cpu_id is None:
        unknown["cpu_id"] = "the kernel does not say"
    whole = len(usable) if quota is None else max(1, min(len(usable), int(quota)))
    return Hardware(
        cpu_model=model,
        cpu_id=cpu_id,
        architecture=platform.machine(),
        physical_cores=min(cores, whole),
        logical_cores=whole,
        cpu_quota=quota,
        simd_level=level,
        simd=tuple(name for name in SIMD_FLAGS if name in flags),
        memory=memory,
        memory_limit=cgroup.memory_limit(root),
        gpus=gpus,
        virtual_machine=_virtual_machine(root, flags),
        container=_container(root),
        system=platform.system(),
        os=_os_name(root),
        kernel=platform.release(),
        unknown=tuple(sorted(unknown.items())),
    )


def _usable_cpus() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _physical_cores(root: Path, usable: set[int]) -> int:
    """Count the cores below our CPUs: two threads of one core have the same siblings."""
    cores = set()
    for cpu in usable:
        topology = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        cores.add(_text(topology / "core_cpus_list") or _text(topology / "thread_siblings_list") or f"cpu {cpu}")
    return len(cores)


def _cpu(root: Path) -> tuple[str | None, str | None, set[str]]:
    """Return model name, id and flags of the first CPU in ``/proc/cpuinfo``."""
    first = _text(root / "proc/cpuinfo").split("\n\n")[0]
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    x86 = [fields.get(key) for key in ("vendor_id", "cpu family", "model", "stepping")]
    arm = [fields.get(key) for key in ("CPU implementer", "CPU architecture", "CPU part", "CPU revision")]
    cpu_id = next(("/".join(str(part) for part in parts) for parts in (x86, arm) if all(parts)), None)
    # Arm kernels give no model name: the implementer's and the part's numbers are the name there.
    return fields.get("model name") or (f"Arm {cpu_id}" if all(arm) else None), cpu_id, flags


def _darwin_flags() -> set[str]:
    if platform.machine() == "arm64":
        features = {
            "asimd": "AdvSIMD",
            "asimddp": "FEAT_DotProd",
            "i8mm": "FEAT_I8MM",
            "bf16": "FEAT_BF16",
            "sme": "FEAT_SME",
        }
        return {flag for flag, name in features.items() if _sysctl(f"hw.optional.arm.{name}") == "1"}
    names = f"{_sysctl('machdep.cpu.features') or ''} {_sysctl('machdep.cpu.leaf7_features') or ''}".lower().replace(
        ".", "_"
    )
    return set(names.replace("avx1_0", "avx").split())


def _simd_level(flags: set[str]) -> str | None:
    if "asimd" in flags:
        return next((f"neon+{name}" for name in ("sve", "i8mm", "asimddp") if name in flags), "neon")
    reached = takewhile(lambda level: level[1] <= flags, X86_LEVELS)
    return next((name for name, _ in reversed(list(reached))), None)


def _memory(root: Path) -> int | None:
    found = re.search(r"^MemTotal:\s+(\d+) kB$", _text(root / "proc/meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _nvidia(unknown: dict[str, str]) -> tuple[Gpu, ...]:
    text = _output(
        "nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits", why=unknown
    )
    gpus = []
    for line in (text or "").splitlines():
        name, _, rest = line.partition(",")
        memory, _, driver = rest.partition(",")
        size = memory.strip()
        gpus.append(Gpu(name.strip(), int(size) << 20 if size.isdigit() else None, driver.strip() or None))
    return tuple(gpus)


def _amd(root: Path) -> tuple[Gpu, ...]:
    gpus = []
    for device in sorted(root.glob("sys/class/drm/card[0-9]*/device")):
        if "-" not in device.parent.name and _text(device / "vendor") == "0x1002":
            size = _text(device / "mem_info_vram_total")
            name = _text(device / "product_name") or f"AMD {_text(device / 'device')}"
            gpus.append(Gpu(name, int(size) if size.isdigit() else None))
    return tuple(gpus)


def _virtual_machine(root: Path, flags: set[str]) -> str | None:
    """Name the hypervisor where the firmware does; ``virtual`` where only the CPU shows one; None on bare metal."""
    firmware = " ".join(_text(root / f"sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name")).lower()
    if name := next((name for sign, name in HYPERVISORS.items() if sign in firmware), None):
        # A cloud's bare-metal machine carries the cloud's name as well, but its CPU knows of no hypervisor.
        return name if "hypervisor" in flags or platform.machine() not in ("x86_64", "AMD64") else None
    return _text(root / "sys/hypervisor/type") or ("virtual" if "hypervisor" in flags else None)


def _container(root: Path) -> str | None:
    if (root / "run/.containerenv").exists():
        return "podman"
    if (root / "var/run/secrets/kubernetes.io").exists():
        return "kubernetes"
    return "docker" if (root / ".dockerenv").exists() else None


def _os_name(root: Path) -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)"?$', _text(root / "etc/os-release"), re.MULTILINE)
    return found[1] if found else f"{platform.system()} {platform.mac_ver()[0]}".strip()


def _sysctl(name: str) -> str | None:
    return _output("sysctl", "-n", name)


def _output(*argv: str, why: dict[str, str] | None = None) -> str | None:
    """Run a small system tool; None where it is missing, fails or hangs. No tool means no such device: no reason."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=GPU_QUERY_SECONDS, check=False)
    except FileNotFoundError:
        return None
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = f"{argv[0]} failed: {type(error).__name__}"
    else:
        if done.returncode == 0:
            return done.stdout.strip() or None
        lines = (done.stderr or done.stdout).strip().splitlines()
        reason = f"{argv[0]} failed: {lines[0] if lines else f'exit code {done.returncode}'}"
    if why is not None:
        why["gpus"] = reason
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
