"""The whole command line of llama-server: what the lock fixes, and what belongs to this machine."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.gguf.header import Header
from pipeline.gguf.memory import CHECKPOINTS, Memory, estimate
from pipeline.lock.model import Lockfile

READY_WITHIN = 600.0  # seconds that a server may take to load a model
HARDENED = (
    "--offline",
    "--no-ui",
    "--no-slots",
    "--metrics",
    "--cors-origins",
    "localhost",
    "--no-cors-credentials",
    "--log-jsonl",
    "--log-timestamps",
    # Of 32, its own choice, each as large as all windows of a slot: more than the weights, for some models.
    "--ctx-checkpoints",
    str(CHECKPOINTS),
)


@dataclass(frozen=True)
class Listen:
    """Where a server listens: a unix socket (path ending in ``.sock``), or a loopback address and port."""

    host: str
    port: int | None = None

    def healthy(self, within: float = 5.0) -> bool:
        """Tell whether a server there answers ``GET /health`` with 200 now, in ``within`` seconds."""
        unix = self.host.endswith(".sock")
        family = socket.AF_UNIX if unix else socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # Not with httpx, which leaves a socket that could not connect to the garbage collector.
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.settimeout(within)
            try:
                one.connect(self.host if unix else (self.host, self.port or 0))
                connection = http.client.HTTPConnection("localhost")
                connection.sock = one
                connection.request("GET", "/health")
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False

    def argv(self) -> tuple[str, ...]:
        return ("--host", self.host, *(("--port", str(self.port)) if self.port is not None else ()))


def planned(lock: Lockfile, headers: Sequence[Header]) -> Memory:
    """Return what llama-server comes to with a lock's arguments, by the headers of its weights, the first first. Raises GgufError."""
    engine, projector = lock.spec.engine, lock.mmproj
    apart = lock.spec.writes  # else all slots share one cache
    return estimate(
        headers,
        context=engine.context if apart else engine.context * engine.slots,
        slots=engine.slots if apart else 1,
        cache_type_k=engine.cache_type_k,
        cache_type_v=engine.cache_type_v,
        micro_batch=lock.spec.micro_batch,
        flash_attention=engine.flash_attention == "on",
        mapped=engine.load == "mmap",
        projector=projector.size if projector else 0,
        every=not apart,
    )


def server_argv(
    lock: Lockfile,
    *,
    weights: Path,
    template: Path | None,
    listen: Listen,
    key_file: Path,
    threads: int,
    mmproj: Path | None = None,
) -> tuple[str, ...]:
    """Return llama-server's arguments, the program itself left out. ``threads`` counts where the spec leaves it
    open.
    """
    count = str(lock.spec.engine.threads or threads)
    return (
        *("--model", str(weights)),
        *lock.argv,
        *(("--chat-template-file", str(template)) if template else ()),
        *(("--mmproj", str(mmproj)) if mmproj else ()),
        *("--threads", count, "--threads-batch", count),
        *listen.argv(),
        *("--api-key-file", str(key_file)),
        *HARDENED,
    )
