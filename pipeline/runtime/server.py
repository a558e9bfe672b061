"""Start llama-server from verified files, wait until it is ready, prove that it is what the lock says, and stop it for
sure.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from pipeline.core.digest import Digest
from pipeline.core.errors import EngineError
from pipeline.core.files import atomic_write
from pipeline.core.proc import Process, ending, spawn
from pipeline.core.scratch import scratch
from pipeline.lock.model import Lockfile
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.params import READY_WITHIN, Listen, server_argv
from pipeline.runtime.patches import given_as
from pipeline.runtime.sound import require_numbers

_LOG_LINES = 5000  # a template that is refused may stand in it


class NotReady(EngineError):
    """The server died before it was ready, or was not ready in time. ``log`` is the end of what it wrote, ``ending`` how it
    ended, "" if it was stopped.
    """

    def __init__(self, message: str, *, log: str, ending: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.log = log
        self.ending = ending


@dataclass
class Running:
    """A server that is up. ``client`` talks to it by its ``socket``, ``key`` included; ``props`` is what it says of itself."""

    process: Process
    client: httpx.Client
    socket: Path
    key: str
    argv: tuple[str, ...]
    load_seconds: float
    props: dict[str, Any] = field(default_factory=dict)

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        """Tell whether the process still runs."""
        return self.process.poll() is None

    def peak_rss(self) -> int | None:
        """Return the most memory that the process ever had resident, in bytes; None where the system doesn't say."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return None
        lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(lines[0].split()[1]) << 10 if lines else None


@contextmanager
def running(
    build: EngineBuild,
    lock: Lockfile,
    *,
    weights: Path,
    template: Path | None,
    threads: int,
    mmproj: Path | None = None,
    ready_within: float = READY_WITHIN,
) -> Iterator[Running]:
    """Run the locked model on a private unix socket, for checks and benchmarks; nobody else can reach it.

    Raises EngineError when it does not start, is not what the lock says, or computes what is no number.
    """

    def argv(listen: Listen, key_file: Path) -> tuple[str, ...]:
        return server_argv(
            lock, weights=weights, template=template, mmproj=mmproj, listen=listen, key_file=key_file, threads=threads
        )

    with started((str(build.server),), build.environment, argv, ready_within) as server:
        server.props = prove(server.client, lock, weights)
        require_numbers(server.client, lock.spec.engine.slots)
        yield server


@contextmanager
def started(
    program: tuple[str, ...],
    environment: Mapping[str, str],
    argv: Callable[[Listen, Path], tuple[str, ...]],
    ready_within: float,
) -> Iterator[Running]:
    """Run llama-server (``program``) on a private unix socket until the block ends; ``argv`` gives its arguments for where
    it listens and the file with its key. Raises NotReady.
    """
    with scratch(short_folder()) as folder:
        key, listen = new_key(), Listen(str(folder / "llama.sock"))
        key_file = folder / "key"
        atomic_write(key_file, key + "\n", 0o600)
        client = httpx.Client(
            # llama-server closes a connection after a stream without saying so: none is used twice.
            transport=httpx.HTTPTransport(
                uds=listen.host, verify=False, limits=httpx.Limits(max_keepalive_connections=0)
            ),
            base_url="http://localhost",
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(600.0, connect=10.0),
        )
        command = (*program, *argv(listen, key_file))
        with client, spawn(command, env=environment, log=folder / "log") as process:
            load_seconds = wait_ready(process, listen, ready_within)
            yield Running(process, client, Path(listen.host), key, process.argv, load_seconds)


def short_folder() -> str:
    """Return a folder for sockets: their paths may have some hundred bytes, which a long ``$TMPDIR`` leaves no room
    for.
    """
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) < 60 else "/tmp"


def new_key() -> str:
    """Return a fresh API key."""
    return f"assay-{secrets.token_urlsafe(24)}"


def wait_ready(process: Process, listen: Listen, within: float) -> float:
    """Wait for /health; returns the seconds it took. Raises NotReady with the log's end when the server dies or
    hangs.
    """
    began = time.monotonic()
    while True:
        if (code := process.poll()) is not None:
            raise NotReady(
                f"llama-server was not ready: {ending(code)}\n{process.log_tail(15)}",
                hint="the last lines above are llama.cpp's own; assay lint may know the cause",
                log=process.log_tail(_LOG_LINES),
                ending=ending(code),
            )
        if listen.healthy():
            return time.monotonic() - began
        if time.monotonic() - began > within:
            message = f"llama-server was not ready after {within:.0f} s\n{process.log_tail(15)}"
            raise NotReady(message, log=process.log_tail(_LOG_LINES))
        time.sleep(0.02)


def prove(client: httpx.Client, lock: Lockfile, weights: Path) -> dict[str, Any]:
    """Compare what the server says of itself with the lock; returns its /props. Raises EngineError that lists every
    difference."""
    try:
        props: dict[str, Any] = client.get("/props").raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise EngineError(f"llama-server does not answer /props: {error}") from None
    differences = [
        f"{what}: the lock says {want!r}, the server {have!r}"
        for what, want, have in _expected(lock, weights, props)
        if want != have
    ]
    if differences:
        hint = "the engine did not take what the spec asks for: assay lint may know why"
        raise EngineError("the server is not what the lock says\n  " + "\n  ".join(differences), hint=hint)
    return props


def _expected(lock: Lockfile, weights: Path, props: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield (what, wanted, had) for everything that /props lets us check."""
    defaults = props.get("default_generation_settings", {})
    params = defaults.get("params", {})
    sampling = lock.spec.sampling
    yield "model file", str(weights), props.get("model_path")
    yield "model name", lock.name, props.get("model_alias")
    yield "slots", lock.spec.engine.slots, props.get("total_slots")
    context, had = lock.spec.engine.context, defaults.get("n_ctx")
    shared = not lock.spec.writes and isinstance(had, int)  # then a slot is told more than its share
    yield "context of a slot", context, min(context, had) if shared else had
    yield "llama.cpp commit", True, lock.engine.llama_cpp_commit in str(props.get("build_info"))
    for key, want in (("seed", sampling.seed), ("top_k", sampling.top_k)):
        yield key, want, params.get(key)
    for key in ("temperature", "top_p", "min_p", "repeat_penalty"):  # the engine keeps them as 32-bit floats
        yield key, round(float(getattr(sampling, key)), 5), round(float(params.get(key, -1)), 5)
    want_template = lock.template.sha256 if lock.template else lock.gguf.get("template_digest")
    if want_template:
        shown = [str(Digest.of(text.encode())) for text in given_as(str(props.get("chat_template")))]
        yield "chat template", want_template, want_template if want_template in shown else shown[0]
