"""Send the front door requests that chance makes, for as long as wanted: ``python -m tests.fuzz.door SECONDS [SEED]``.

A door and a real engine of their own, with tiny-chat. Every hundred requests a good one must be answered. What breaks a
promise is kept in ``.nox/found``, and makes the exit code 1.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from pipeline.deploy.door.model import Limits, Upstream
from tests.deploy.door.conftest import KEY, Front, opened
from tests.deployments import engine_of
from tests.fuzz.answers import exchange, fault_of
from tests.fuzz.requests import Maker
from tests.projects import make_project

ROOT = Path(__file__).parents[2]
FOUND = ROOT / ".nox" / "found"
LIMITS = Limits(head=0.5, body=0.5)


def fuzz(
    front: Front, maker: Maker, seconds: float, most: int | None = None
) -> tuple[Counter[int], list[tuple[str, bytes]]]:
    """Send requests until the time is over or there were so many; returns the answers by status, and the faults with what
    brought them about.
    """
    statuses, faults = Counter[int](), list[tuple[str, bytes]]()
    end = time.monotonic() + seconds
    while time.monotonic() < end and (most is None or statuses.total() < most):
        raw = maker.one()
        said = exchange(front.address, raw)
        statuses[said.status] += 1
        if fault := fault_of(said):
            faults.append((fault, raw))
        if statuses.total() % 100 == 0 or fault:
            good = front.client.post("/v1/completions", json={"prompt": "a", "max_tokens": 1})
            if good.status_code != 200:
                faults.append((f"and then a good one was answered with {good.status_code}: {good.text[:200]}", raw))
                if good.status_code == 502:
                    break
    return statuses, faults


def main() -> int:
    """Fuzz, and say what came of it."""
    seconds, seed = float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
    weights = ROOT / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder) / "project", weights)
        with engine_of(project, weights) as (running, lock):
            upstream = Upstream("small", lock.weights.sha256, str(lock.digest), running.socket, running.key, slots=2)
            with opened(Path(folder), upstream, limits=LIMITS) as front:
                fuzz(front, Maker(seed, KEY), 10.0)
                before = memory(os.getpid()), memory(running.pid)
                statuses, faults = fuzz(front, Maker(seed + 1, KEY), seconds)
                after = memory(os.getpid()), memory(running.pid)
                held = front.door.held, front.door.room("small").busy
    print(f"seed {seed}: {statuses.total()} requests, by status {dict(sorted(statuses.items()))}")
    print(
        f"MiB of the door (with this program) {before[0]:.0f} then {after[0]:.0f}, of the engine {before[1]:.0f} then {after[1]:.0f}"
    )
    FOUND.mkdir(parents=True, exist_ok=True)
    for number, (fault, raw) in enumerate(faults):
        path = FOUND / f"request-{seed}-{number}"
        path.write_bytes(raw)
        print(f"{path}: {fault}")
    if held != (0, 0):
        print(f"bytes and requests that nobody lets go: {held}")
    return 1 if faults or held != (0, 0) else 0


def memory(pid: int) -> float:
    """Return what a process has resident, in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


if __name__ == "__main__":
    sys.exit(main())
