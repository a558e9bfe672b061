"""What the front door costs: the same llama-server with it and without it, in turns; and llama_cpp.server beside both.

The client is a process of its own with raw sockets, so that it costs little beside what it measures. CPU time is told besides: a busy
machine changes it less than a rate.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from _measure import NOISY

from pipeline.bench.stats import median
from pipeline.core.project import Project
from pipeline.deploy.door.model import Upstream
from pipeline.lock.load import read_lock
from pipeline.runtime.build import find_engine
from pipeline.runtime.params import Listen, server_argv
from pipeline.runtime.server import started

ROOT = Path(__file__).parents[1]
KEY = "bench-0123456789abcdef"
TOKENS = 128
MESSAGES = [{"role": "user", "content": "What is the capital of France?"}]
BODY = {"messages": MESSAGES, "max_tokens": TOKENS, "temperature": 0, "stream": True, "ignore_eos": True}
WEIGHTS = ROOT / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
GOAL_SPEED, GOAL_FIRST_MS, GOAL_PEER = 0.95, 3.0, 3.0
Found = dict[str, float]


def stream(address: str) -> tuple[float, float, int]:
    """Ask once; returns the seconds until the first event, until the end, and the number of events."""
    content = json.dumps(BODY).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {KEY}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    began, first, events, end = time.monotonic(), 0.0, 0, b""
    with socket.socket(socket.AF_UNIX if address.startswith("/") else socket.AF_INET) as one:
        one.settimeout(300)
        host, _, port = address.rpartition(":")
        one.connect(address if address.startswith("/") else (host, int(port)))
        one.sendall(head.encode() + content)
        while piece := one.recv(65536):
            if not first and b"data: " in piece:
                first = time.monotonic() - began
            events += piece.count(b"data: ")
            end = (end + piece)[-300:]
    if b"[DONE]" not in end:
        raise RuntimeError(f"not whole: {end!r}")
    return first, time.monotonic() - began, events


def load(address: str, streams: int, requests: int) -> Found:
    """Ask ``requests`` times from so many streams; returns tokens a second, of all together, and the median first event."""
    left = iter(range(requests))
    firsts: list[float] = []
    tokens: list[int] = []
    lock = threading.Lock()

    def one() -> None:
        while True:
            with lock:
                if next(left, None) is None:
                    return
            first, _, events = stream(address)
            firsts.append(first)
            tokens.append(events - 3)  # the role, the end, [DONE]

    threads = [threading.Thread(target=one) for _ in range(streams)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(firsts) != requests:
        raise RuntimeError("a stream failed")
    return {"tok_s": sum(tokens) / (time.monotonic() - began), "ttft": median(firsts)}


def client(address: str, streams: int, requests: int) -> Found:
    """Run ``load`` in a process of its own."""
    argv = [sys.executable, __file__, "--client", json.dumps([address, streams, requests])]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found: Found = json.loads(done.stdout)
    return found


@contextmanager
def engine(project: Project, name: str, slots: int) -> Iterator[tuple[int, Upstream]]:
    """Run the model with so many slots on a private socket; yields the process and where it is."""
    lock, build = read_lock(project, name), find_engine()
    argv = list(lock.argv)
    argv[argv.index("--parallel") + 1] = str(slots)
    argv[argv.index("--ctx-size") + 1] = str(512 * slots)
    seen: list[Path] = []
    changed = lock.model_copy(update={"argv": tuple(argv)})

    def arguments(listen: Listen, key_file: Path) -> tuple[str, ...]:
        seen.append(Path(listen.host))
        key_file.write_text(f"{KEY}\n")
        return server_argv(changed, weights=WEIGHTS, template=None, listen=listen, key_file=key_file, threads=1)

    with started((str(build.server),), build.environment, arguments, 60.0) as running:
        yield running.pid, Upstream(name, lock.weights.sha256, str(lock.digest), seen[0], KEY, slots=slots)


_DOOR = """
import sys, json
from pathlib import Path
from pipeline.deploy.door.beside import beside, bound
from pipeline.deploy.door.door import Door
from pipeline.deploy.door.model import Limits, Settings, Upstream
given = json.loads(sys.argv[1])
given["upstream"]["socket"] = Path(given["upstream"]["socket"])
listening = bound("127.0.0.1", 0)
settings = Settings(Path(given["keys"]), Path(given["log"]), limits=Limits(queue=given["queue"]))
with beside(lambda: Door(settings, [Upstream(**given["upstream"])]), listening):
    print(listening.getsockname()[1], flush=True)
    sys.stdin.read()
"""


@contextmanager
def door(upstream: Upstream, folder: Path, queue: int = 64) -> Iterator[tuple[int, str]]:
    """Run a front door in a process of its own; yields its pid and address."""
    keys = folder / "keys"
    keys.write_text(f"bench {KEY}\n")
    keys.chmod(0o600)
    told = {**upstream.__dict__, "socket": str(upstream.socket)}
    given = json.dumps({"upstream": told, "keys": str(keys), "log": str(folder / "log"), "queue": queue})
    argv = [sys.executable, "-c", _DOOR, given]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin and process.stdout
        try:
            yield process.pid, f"127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            process.wait()


@contextmanager
def peer(python: str) -> Iterator[str]:
    """Run llama_cpp.server on the same weights; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    argv = [python, "-m", "llama_cpp.server", "--model", str(WEIGHTS), "--port", str(port), "--n_ctx", "512"]
    more = ["--n_threads", "1", "--api_key", KEY, "--interrupt_requests", "False"]
    with subprocess.Popen([*argv, *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while process.poll() is None:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.1)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def cpu(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def row(streams: int, rounds: int, bare: str, front: str, pids: tuple[int, int]) -> str:
    """Measure both in turns; returns what was found."""
    found: dict[str, list[Found]] = {bare: [], front: []}
    for address in (bare, front):
        client(address, streams, streams)
    before = [cpu(pid) for pid in pids]
    count = max(16, 2 * streams)
    for number in range(rounds):
        for address in (bare, front) if number % 2 else (front, bare):
            found[address].append(client(address, streams, count))
    engine_s, door_s = (cpu(pid) - old for pid, old in zip(pids, before, strict=True))
    speed = [median([one["tok_s"] for one in found[address]]) for address in (bare, front)]
    first = [median([one["ttft"] for one in found[address]]) * 1000 for address in (bare, front)]
    ratios = [b["tok_s"] / a["tok_s"] for a, b in zip(found[bare], found[front], strict=True)]
    late, ratio = first[1] - first[0], median(ratios)
    met = "met" if ratio >= GOAL_SPEED and late <= GOAL_FIRST_MS else "MISSED"
    noisy = ", noisy" if max(ratios) / min(ratios) > NOISY else ""
    return (
        f"{streams:>2} streams: {speed[0]:.0f} and {speed[1]:.0f} tok/s, x{ratio:.3f} ({min(ratios):.2f} to {max(ratios):.2f}); "
        f"first event {first[0]:.1f} and {first[1]:.1f} ms, {late:+.1f} ms; {met}{noisy}; CPU: the door "
        f"{door_s / rounds / count * 1000:.2f} ms a request of {TOKENS} tokens, the engine {engine_s / rounds / count / 2 * 1000:.2f} ms"
    )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--streams", type=int, nargs="*", default=[1, 8, 32])
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--peer-python", help="an interpreter with llama-cpp-python[server], for llama_cpp.server")
    args = parser.parse_args()
    if args.client:
        print(json.dumps(load(*json.loads(args.client))))
        return
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; bare llama-server, then through the door")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        pid, upstream = stack.enter_context(engine(Project(ROOT), "tiny-chat", args.slots))
        door_pid, front = stack.enter_context(door(upstream, Path(folder)))
        for streams in args.streams:
            print(row(streams, args.rounds, str(upstream.socket), front, (pid, door_pid)), flush=True)
        if args.peer_python:
            other = stack.enter_context(peer(args.peer_python))
            pairs = [(client(front, 8, 16)["tok_s"], client(other, 8, 16)["tok_s"]) for _ in range(3)]
            ours, theirs = (median([pair[side] for pair in pairs]) for side in (0, 1))
            said = "met" if ours / theirs >= GOAL_PEER else "MISSED"
            print(
                f" 8 streams: the door {ours:.0f} tok/s, llama_cpp.server {theirs:.0f} tok/s, x{ours / theirs:.2f}; {said}"
            )


if __name__ == "__main__":
    main()
