"""What the front door costs: llama-server behind it, and bare on a port of its own, in turns; and llama_cpp.server beside both.

The client is a process of its own with raw sockets, so that it costs little beside what it measures. CPU time is told besides: a busy
machine changes it less than a rate.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from _measure import Pairs, told

from pipeline.bench.stats import median
from pipeline.core.proc import spawn
from pipeline.core.project import Project
from pipeline.deploy.door.model import Upstream
from pipeline.lock.load import read_lock
from pipeline.lock.model import Lockfile
from pipeline.runtime.build import find_engine
from pipeline.runtime.params import Listen, server_argv
from pipeline.runtime.server import started, wait_ready
from tests.projects import free_port

ROOT = Path(__file__).parents[1]
KEY = "bench-0123456789abcdef"
ASKED = "What is the capital of France?"
CHAT, COMPLETION = "/v1/chat/completions", "/v1/completions"
PROMPTS: dict[str, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": ASKED}]},
    COMPLETION: {"prompt": ASKED},
}
# llama-server knows ``ignore_eos``, llama_cpp.server ``min_tokens``.
HOW = {"temperature": 0, "stream": True, "ignore_eos": True}
WEIGHTS = ROOT / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
GOAL_SPEED, GOAL_FIRST_MS, GOAL_PEER = 0.95, 3.0, 3.0
Found = dict[str, float]


class Stream:
    """One question, and its answer as it comes. ``first`` is when its first event came, in seconds after it was asked."""

    def __init__(self, address: str, request: bytes) -> None:
        self._began, self.first, self._end = time.monotonic(), 0.0, b""
        self.socket = socket.socket(socket.AF_UNIX if address.startswith("/") else socket.AF_INET)
        host, _, port = address.rpartition(":")
        self.socket.connect(address if address.startswith("/") else (host, int(port)))
        self.socket.sendall(request)

    def read(self) -> bool:
        """Take what is there; returns whether that was all. Raises RuntimeError for an answer that isn't whole."""
        piece = self.socket.recv(65536)
        if not self.first and b"data: " in piece:
            self.first = time.monotonic() - self._began
        self._end = (self._end + piece)[-3000:]
        if piece:
            return False
        if b"[DONE]" not in self._end or b'"length"' not in self._end:
            raise RuntimeError(f"not whole: {self._end!r}")
        return True


def asking(path: str, tokens: int) -> bytes:
    """Return a request for so many tokens."""
    content = json.dumps(PROMPTS[path] | HOW | {"max_tokens": tokens, "min_tokens": tokens}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {KEY}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def load(address: str, path: str, tokens: int, streams: int, requests: int) -> Found:
    """Ask ``requests`` times from so many streams; returns tokens a second, of all together, and the median first event.

    One thread reads all: threads would wait for one another, and for a core.
    """
    request, firsts = asking(path, tokens), list[float]()
    began = time.monotonic()
    with selectors.DefaultSelector() as readable:
        questions = (Stream(address, request) for _ in range(requests))  # each is asked when its turn comes

        def ask(most: int) -> None:
            for one in islice(questions, most):
                readable.register(one.socket, selectors.EVENT_READ, one)

        ask(streams)
        while readable.get_map():
            ready = readable.select(300)
            if not ready:
                raise RuntimeError("nothing came in five minutes")
            for one in [key.data for key, _ in ready]:
                if one.read():
                    readable.unregister(one.socket)
                    one.socket.close()
                    firsts.append(one.first)
                    ask(1)
    return {"tok_s": requests * tokens / (time.monotonic() - began), "ttft": median(firsts)}


def client(
    addresses: Sequence[str], path: str, tokens: int, streams: int, requests: int, rounds: int
) -> list[list[Found]]:
    """Put the load on each address in turns, so many rounds, from a process of its own; returns each round's findings."""
    argv = [
        sys.executable,
        __file__,
        "--client",
        json.dumps([list(addresses), path, tokens, streams, requests, rounds]),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found: list[list[Found]] = json.loads(done.stdout)
    return found


def in_turns(
    addresses: Sequence[str], path: str, tokens: int, streams: int, requests: int, rounds: int
) -> list[list[Found]]:
    """Be that process."""
    found: list[list[Found]] = []
    for number in range(rounds):
        order = list(range(len(addresses)))[:: -1 if number % 2 else 1]
        one = {side: load(addresses[side], path, tokens, streams, requests) for side in order}
        found.append([one[side] for side in sorted(one)])
    return found


@contextmanager
def engine(lock: Lockfile, weights: Path, slots: int) -> Iterator[tuple[int, Upstream]]:
    """Run the model with so many slots on a private socket; yields the process and where it is."""
    build, changed = find_engine(), with_slots(lock, slots)

    def arguments(listen: Listen, key_file: Path) -> tuple[str, ...]:
        key_file.write_text(f"{KEY}\n")
        return server_argv(changed, weights=weights, template=None, listen=listen, key_file=key_file, threads=1)

    with started((str(build.server),), build.environment, arguments, 60.0) as running:
        yield running.pid, Upstream(lock.name, lock.weights.sha256, str(lock.digest), running.socket, KEY, slots=slots)


@contextmanager
def bare(lock: Lockfile, weights: Path, slots: int, folder: Path) -> Iterator[str]:
    """Run the same on a port of loopback, as people do who have no door; yields its address."""
    listen = Listen("127.0.0.1", free_port())
    build, key_file = find_engine(), folder / "bare-key"
    key_file.write_text(f"{KEY}\n")
    argv = server_argv(
        with_slots(lock, slots), weights=weights, template=None, listen=listen, key_file=key_file, threads=1
    )
    with spawn((str(build.server), *argv), env=build.environment, log=folder / "bare-log") as process:
        wait_ready(process, listen, 60.0)
        yield f"{listen.host}:{listen.port}"


def with_slots(lock: Lockfile, slots: int) -> Lockfile:
    """Return a lock whose server takes so many requests at once, of 512 tokens each."""
    argv = list(lock.argv)
    argv[argv.index("--parallel") + 1] = str(slots)
    argv[argv.index("--ctx-size") + 1] = str(512 * slots)
    return lock.model_copy(update={"argv": tuple(argv)})


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
def peer(python: str, weights: Path) -> Iterator[str]:
    """Run llama_cpp.server on the same weights; yields its address."""
    port = free_port()
    argv = [python, "-m", "llama_cpp.server", "--model", str(weights), "--port", str(port), "--n_ctx", "512"]
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


@dataclass
class Row:
    """What was found for so many streams: pairs of door and bare, and the CPU seconds of ``requests`` answers through the door."""

    streams: int
    speed: Pairs = field(default_factory=Pairs)
    first: Pairs = field(default_factory=Pairs)
    requests: int = 0
    door_s: float = 0.0
    engine_s: float = 0.0

    def measure(self, rounds: int, sides: tuple[str, str], path: str, tokens: int, pids: tuple[int, int]) -> None:
        """Measure the door and bare, ``sides``, in turns; ``pids`` are the engine's behind the door, and the door's."""
        count = max(4, 2 * self.streams)
        client(sides, path, tokens, self.streams, self.streams, 1)
        before = [cpu(pid) for pid in pids]
        for through, plain in client(sides, path, tokens, self.streams, count, rounds):
            self.speed.add(through["tok_s"], plain["tok_s"])
            self.first.add(through["ttft"] * 1000, plain["ttft"] * 1000)
        engine_s, door_s = (cpu(pid) - old for pid, old in zip(pids, before, strict=True))
        self.requests, self.door_s, self.engine_s = (
            self.requests + rounds * count,
            self.door_s + door_s,
            self.engine_s + engine_s,
        )

    def __str__(self) -> str:
        (ratio, low, high), (later, soonest, latest) = self.speed.ratio, self.first.later
        fast = told(self.speed.ratio, GOAL_SPEED, math.inf)
        soon = told(self.first.later, -math.inf, GOAL_FIRST_MS)
        door_ms, engine_ms = (seconds / self.requests * 1000 for seconds in (self.door_s, self.engine_s))
        return (
            f"{self.streams:>2} streams, {len(self.speed.first)} pairs: {median(self.speed.second):.0f} and "
            f"{median(self.speed.first):.0f} tok/s, x{ratio:.3f} ({low:.3f} to {high:.3f}): {fast}; first event "
            f"{median(self.first.second):.1f} and {median(self.first.first):.1f} ms, {later:+.1f} ms ({soonest:+.1f} to "
            f"{latest:+.1f}): {soon}; CPU of a request: the door {door_ms:.2f} ms, the engine {engine_ms:.2f} ms"
        )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=80, help="pairs for each number of streams")
    parser.add_argument("--starts", type=int, default=4, help="how often all is started anew")
    parser.add_argument("--model", default="tiny-chat", help="a locked model")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="its file")
    parser.add_argument("--tokens", type=int, default=128, help="of each answer")
    parser.add_argument("--streams", type=int, nargs="*", default=[1, 8, 32])
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--peer-python", help="an interpreter with llama-cpp-python[server], for llama_cpp.server")
    args = parser.parse_args()
    if args.client:
        print(json.dumps(in_turns(*json.loads(args.client))))
        return
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; bare llama-server, then through the door")
    lock = read_lock(Project(ROOT), args.model)
    path = CHAT if lock.spec.profile == "chat" else COMPLETION
    rows = [Row(streams) for streams in args.streams]
    for start in range(
        args.starts
    ):  # a process may be a little faster than another of the same program, for all its life
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            folder = Path(name)
            plain = stack.enter_context(bare(lock, args.weights, args.slots, folder))
            pid, upstream = stack.enter_context(engine(lock, args.weights, args.slots))
            door_pid, front = stack.enter_context(door(upstream, folder))
            for row in rows:
                row.measure(args.rounds // args.starts, (front, plain), path, args.tokens, (pid, door_pid))
                if start == args.starts - 1:
                    print(row, flush=True)
    if args.peer_python:
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            _, upstream = stack.enter_context(engine(lock, args.weights, args.slots))
            _, front = stack.enter_context(door(upstream, Path(name)))
            other = stack.enter_context(peer(args.peer_python, args.weights))
            pairs = Pairs()
            for ours, theirs in client((front, other), path, args.tokens, 8, 16, args.rounds // 2):
                pairs.add(ours["tok_s"], theirs["tok_s"])
            ratio, low, high = pairs.ratio
            print(
                f" 8 streams: the door {median(pairs.first):.0f} tok/s, llama_cpp.server {median(pairs.second):.0f} tok/s, "
                f"x{ratio:.2f} ({low:.2f} to {high:.2f}): {told(pairs.ratio, GOAL_PEER, math.inf)}"
            )


if __name__ == "__main__":
    main()
