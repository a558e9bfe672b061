"""What the cgroups of this process allow it: CPU quota and memory, for cgroup v2 and v1.

A limit set on any group above ours counts too, so each lookup walks from our group up to the mount and takes the least.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# v1 writes "no limit" as the largest number of whole pages, a little under 2**63.
_NO_LIMIT = 1 << 62
# In v2 and v1, and how many make a second.
_HELD = {"throttled_usec": 1e6, "throttled_time": 1e9}


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Return how many CPUs' worth of time the process may use (``2.5``); None where nothing limits it."""
    quotas: list[float] = []
    for folder in _folders(root, "cpu"):
        v2 = _text(folder / "cpu.max").split()
        if len(v2) == 2 and v2[0].isdigit() and int(v2[1]) > 0:
            quotas.append(int(v2[0]) / int(v2[1]))
        quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period) > 0:  # "-1" is no limit
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def held_seconds(root: Path = Path("/")) -> float | None:
    """Return for how long quotas held back what is in our groups, in seconds of a core, summed up; None where nobody tells."""
    lines = [line for folder in _folders(root, "cpu") for line in _text(folder / "cpu.stat").splitlines()]
    held = [
        int(value) / _HELD[name]
        for name, _, value in (line.partition(" ") for line in lines)
        if name in _HELD and value.isdigit()
    ]
    return sum(held) if held else None


def memory_limit(root: Path = Path("/")) -> int | None:
    """Return the most memory the process's groups may use, in bytes; None where nothing limits it."""
    limits = [
        int(text)
        for folder in _folders(root, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")
        if (text := _text(folder / name)).isdigit() and int(text) < _NO_LIMIT
    ]
    return min(limits, default=None)


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of our group and of every group above it that this mount namespace shows."""
    for mount, seen_from, kinds in _mounts(root):
        if controller not in kinds and "cgroup2" not in kinds:
            continue
        for line in _text(root / "proc/self/cgroup").splitlines():
            number, _, rest = line.partition(":")
            names, _, path = rest.partition(":")
            if number == "0" if "cgroup2" in kinds else controller in names.split(","):
                inside = PurePosixPath(path)
                # In a container without a cgroup namespace the path is the host's; the mount begins at `seen_from`.
                if inside.is_relative_to(seen_from):
                    inside = PurePosixPath("/") / inside.relative_to(seen_from)
                for group in (inside, *inside.parents):
                    yield root / mount.lstrip("/") / str(group).lstrip("/")


def _mounts(root: Path) -> Iterator[tuple[str, str, set[str]]]:
    """Yield (mount point, the group shown there, its controllers or ``cgroup2``) of every cgroup mount."""
    for line in _text(root / "proc/self/mountinfo").splitlines():
        place, _, kind = line.partition(" - ")
        fields, about = place.split(), kind.split()
        if len(fields) >= 5 and len(about) >= 3 and about[0] in ("cgroup", "cgroup2"):
            yield fields[4], fields[3], {"cgroup2"} if about[0] == "cgroup2" else set(about[2].split(","))


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
