"""More than a door lets in: 10 000 requests from 64 clients at once, four slots, a queue of 16.

Every one must be answered, or refused with 429 and ``Retry-After``; each leaves one line in the access log; the door's memory must stay
what it was. Ends with 1 where that is not so.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from serve import CHAT, KEY, PROMPTS, ROOT, WEIGHTS, cpu, door, engine

from pipeline.core.project import Project
from pipeline.lock.load import read_lock

GROWTH = 8.0


def resident(pid: int) -> float:
    """Return what a process has in memory, in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def flood(address: str, clients: int, requests: int, pid: int) -> tuple[Counter[str], list[float]]:
    """Ask so often from so many threads; returns how it was answered, and the door's memory ten times over the way."""
    host, _, port = address.rpartition(":")
    content, headers = json.dumps(PROMPTS[CHAT] | {"max_tokens": 1}), {"Authorization": f"Bearer {KEY}"}
    left, lock = iter(range(requests)), threading.Lock()
    said, memory = Counter[str](), list[float]()

    def one() -> None:
        connection = http.client.HTTPConnection(host, int(port), timeout=120)
        while True:
            with lock:
                if (number := next(left, None)) is None:
                    connection.close()
                    return
                if number % max(1, requests // 10) == 0:
                    memory.append(resident(pid))
            try:
                connection.request("POST", CHAT, content, headers)
                answer = connection.getresponse()
                whole = bool(json.loads(answer.read()))
                kind = str(answer.status) if whole else "empty"
                if answer.status == 429 and not answer.headers["Retry-After"]:
                    kind = "429 without Retry-After"
            except (OSError, http.client.HTTPException, ValueError) as error:
                kind = f"{type(error).__name__}: {error}"
                connection.close()
            with lock:
                said[kind] += 1

    threads = [threading.Thread(target=one) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said, [*memory, resident(pid)]


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--queue", type=int, default=16)
    parser.add_argument("--slots", type=int, default=4)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        _, upstream = stack.enter_context(engine(read_lock(Project(ROOT), "tiny-chat"), WEIGHTS, args.slots))
        pid, address = stack.enter_context(door(upstream, Path(folder), args.queue))
        flood(address, args.clients, args.requests // 10, pid)  # until everything has been loaded once
        before, began = cpu(pid), time.monotonic()
        said, memory = flood(address, args.clients, args.requests, pid)
        seconds, used = time.monotonic() - began, cpu(pid) - before
        lines = len((Path(folder) / "log").read_text().splitlines()) - args.requests // 10
    print(f"{said.total()} requests from {args.clients} clients in {seconds:.1f} s: {dict(sorted(said.items()))}")
    each = used / said.total() * 1000
    print(
        f"the door: {memory[0]:.0f} MiB, then {max(memory):.0f} at most; {each:.2f} ms CPU a request; {lines} lines of log"
    )
    clean = set(said) <= {"200", "429"} and said["200"] and lines == args.requests
    return 0 if clean and max(memory) - memory[0] <= GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
