"""Limits of cgroups, read from trees as kernels show them."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.cgroup import cpu_quota, held_seconds, memory_limit


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


V2 = {
    "proc/self/cgroup": "0::/user.slice/job\n",
    "proc/self/mountinfo": "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
}


def test_v2_takes_the_least_of_our_group_and_those_above(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            **V2,
            "sys/fs/cgroup/user.slice/job/cpu.max": "max 100000\n",
            "sys/fs/cgroup/user.slice/cpu.max": "250000 100000\n",
            "sys/fs/cgroup/user.slice/job/memory.max": "4294967296\n",
            "sys/fs/cgroup/user.slice/memory.max": "8589934592\n",
        },
    )
    assert cpu_quota(root) == 2.5
    assert memory_limit(root) == 4 << 30


def test_v2_without_limits(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            **V2,
            "sys/fs/cgroup/user.slice/job/cpu.max": "max 100000\n",
            "sys/fs/cgroup/user.slice/job/memory.max": "max\n",
        },
    )
    assert cpu_quota(root) is None
    assert memory_limit(root) is None


def test_v1_with_one_hierarchy_for_each_controller(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/jobs/a\n1:cpu,cpuacct:/jobs\n0::/\n",
            "proc/self/mountinfo": (
                "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
                "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
            ),
            "sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us": "150000\n",
            "sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/jobs/a/memory.limit_in_bytes": "1073741824\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert cpu_quota(root) == 1.5
    assert memory_limit(root) == 1 << 30


def test_what_quotas_held_back_is_summed_up(tmp_path: Path) -> None:
    stat = "nr_periods 9\nnr_throttled 3\nthrottled_usec {}\nodd\n"
    v2 = {**V2, "sys/fs/cgroup/cpu.stat": "usage_usec 5\n", "sys/fs/cgroup/user.slice/cpu.stat": stat.format(500_000)}
    root = tree(tmp_path / "v2", {**v2, "sys/fs/cgroup/user.slice/job/cpu.stat": stat.format(2_000_000)})
    assert held_seconds(root) == 2.5
    assert held_seconds(tree(tmp_path / "none", V2)) is None
    mount = "33 23 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    v1 = {"proc/self/cgroup": "3:cpu:/job\n", "proc/self/mountinfo": mount}
    stat = "nr_periods 22\nnr_throttled 20\nthrottled_time 558581815\n"
    assert held_seconds(tree(tmp_path / "v1", {**v1, "sys/fs/cgroup/cpu/job/cpu.stat": stat})) == 0.558581815


def test_a_container_that_sees_the_hosts_path(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/docker/abc\n",
            "proc/self/mountinfo": "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "2147483648\n",
        },
    )
    assert memory_limit(root) == 2 << 30


def test_no_cgroups(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) is None
    assert memory_limit(tmp_path) is None
