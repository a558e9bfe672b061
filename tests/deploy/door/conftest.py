"""A real engine, scripted ones for faults, and doors in front of them."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.core.project import Project
from pipeline.deploy.door.beside import Beside, beside, bound
from pipeline.deploy.door.door import Door
from pipeline.deploy.door.model import Limits, Settings, Upstream
from pipeline.runtime.build import EngineBuild
from tests.deployments import engine_of
from tests.projects import until

KEY = "alice-0123456789abcdef"
OTHER_KEY = "robot-0123456789abcdef"


@dataclass
class Front:
    """A door that is open. ``client`` has alice's key; ``address`` is for raw sockets."""

    door: Door
    beside: Beside
    client: httpx.Client
    address: tuple[str, int]
    settings: Settings

    def raw(self, content: bytes, within: float = 5.0) -> bytes:
        """Send bytes as they are and return what comes back until the end of the connection."""
        with socket.create_connection(self.address, within) as one:
            one.sendall(content)
            return heard(one)

    def lines(self) -> list[str]:
        """Return the access log."""
        return self.settings.log.read_text().splitlines()

    def entry(self, part: str) -> dict[str, Any]:
        """Return the one entry of the access log with this text in it. It is written once the answer has been sent."""
        until(lambda: any(part in line for line in self.lines()), 5)
        (told,) = [json.loads(line) for line in self.lines() if part in line]
        return dict(told)


def heard(one: socket.socket) -> bytes:
    """Return what comes until the end of a connection."""
    got = b""
    while piece := _piece(one):
        got += piece
    return got


def _piece(one: socket.socket) -> bytes:
    try:
        return one.recv(65536)
    except ConnectionResetError:
        return b""


Open = Callable[..., Front]


@contextmanager
def opened(folder: Path, *upstreams: Upstream, limits: Limits | None = None, **more: Any) -> Iterator[Front]:
    """Open a door on loopback."""
    keys = folder / "keys"
    if not keys.exists():
        keys.write_text(f"# who may ask\nalice {KEY}\nrobot {OTHER_KEY}\n")
        keys.chmod(0o600)
    settings = Settings(keys, folder / "access.jsonl", limits=limits or Limits(), **more)
    listening = bound("127.0.0.1", 0)
    address = listening.getsockname()
    scheme = "https" if settings.tls else "http"
    with (
        beside(lambda: Door(settings, upstreams), listening) as running,
        httpx.Client(
            base_url=f"{scheme}://127.0.0.1:{address[1]}",
            headers={"Authorization": f"Bearer {KEY}"},
            trust_env=False,
            timeout=30,
            verify=False,
        ) as client,
    ):
        yield Front(running.door, running, client, address, settings)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Open]:
    """Open doors that close with the test: ``door(upstream, …, limits=…)``."""
    with ExitStack() as stack:
        yield lambda *upstreams, **more: stack.enter_context(opened(tmp_path, *upstreams, **more))


@pytest.fixture(scope="session")
def engine(engine_build: EngineBuild, cold_project: Project, tiny_chat: Path) -> Iterator[Upstream]:
    """tiny-chat on a real llama-server with two slots."""
    with engine_of(cold_project, tiny_chat) as (running, lock):
        yield Upstream("small", lock.weights.sha256, str(lock.digest), running.socket, running.key, slots=2)


@pytest.fixture(scope="session")
def front(engine: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A door in front of the real engine."""
    with opened(tmp_path_factory.mktemp("door"), engine, origins=frozenset({"https://app.example.com"})) as one:
        yield one


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="assay-", dir="/tmp") as folder:
        yield Path(folder)
