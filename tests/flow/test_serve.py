from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

import httpx
import pytest

from pipeline.core.errors import DigestMismatch, EngineError, UsageError
from pipeline.core.files import locked
from pipeline.core.project import Project
from pipeline.flow.serve import Service, serve
from pipeline.flow.session import Session
from tests.projects import alive, flip


def serving(project: Project, then: Callable[[Service], object], *, host: str = "127.0.0.1", port: int = 0) -> Service:
    """Serve, do something once it is up, and stop; returns the service that was."""
    seen: list[Service] = []

    def started(service: Service) -> None:
        seen.append(service)
        then(service)

    session = Session(project)
    try:
        serve(session, session.current("small"), host=host, port=port, started=started)
    finally:
        assert not any(alive(service.process.pid) for service in seen)
    return seen[0]


def interrupt(service: Service) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_it_serves_until_it_is_interrupted(assayed: Project, host: str) -> None:
    answers = []

    def ask(service: Service) -> None:
        key = service.key_file.read_text().strip()
        assert service.key_file.stat().st_mode & 0o777 == 0o600
        assert key not in service.log.read_text() + " ".join(service.process.argv)
        for headers in ({}, {"Authorization": f"Bearer {key}"}):
            answers.append(httpx.get(f"{service.url}/v1/models", headers=headers).status_code)
        raise KeyboardInterrupt

    service = serving(assayed, ask, host=host)
    assert answers == [401, 200]
    assert service.names == ("small", f"small@{service.lock.weights.sha256}")
    assert service.url.startswith("http://127.0.0.1:")
    key = service.key_file.read_text()
    assert serving(assayed, interrupt).key_file.read_text() == key  # clients keep theirs


def test_a_cold_store_is_filled_first(project: Project) -> None:
    assert serving(project, interrupt).process.argv


def test_changed_bytes_are_not_served(assayed: Project) -> None:
    session = Session(assayed)
    flip(session.stored(session.current("small")).weights)
    started: list[Service] = []
    with pytest.raises(DigestMismatch, match="other bytes than the lock names"):
        serve(session, session.current("small"), host="127.0.0.1", port=0, started=started.append)
    assert not started


def test_bytes_that_change_while_they_are_served_end_it(assayed: Project) -> None:
    session = Session(assayed)
    blob = session.stored(session.current("small")).weights
    with pytest.raises(DigestMismatch, match="other bytes than the lock names"):
        serving(assayed, lambda _: flip(blob))


def test_a_server_that_dies_is_an_error(assayed: Project) -> None:
    with pytest.raises(EngineError, match="ended by itself: killed by SIGKILL") as error:
        serving(assayed, lambda service: os.kill(service.process.pid, signal.SIGKILL))
    assert "log" in error.value.hint


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])
def test_only_this_machine_is_served(assayed: Project, host: str) -> None:
    with pytest.raises(UsageError, match="is not this machine's loopback"):
        serving(assayed, interrupt, host=host)


def test_a_port_that_is_taken_is_an_error(assayed: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"can't listen on 127.0.0.1:{port}: Address already in use"):
            serving(assayed, interrupt, port=port)


def test_a_model_is_served_once(assayed: Project) -> None:
    with locked(assayed.state / "serve" / "small" / "lock"), pytest.raises(UsageError, match="held by another process"):
        serving(assayed, interrupt)


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("", 0o600, "holds no key"),
        ("short\n", 0o600, "holds no key"),
        ("assay-0123456789abcdef\n", 0o644, "can be read"),
    ],
)
def test_a_key_that_protects_nothing_is_refused(assayed: Project, content: str, mode: int, said: str) -> None:
    key = assayed.state / "serve" / "small" / "key"
    key.parent.mkdir(parents=True)
    key.write_text(content)
    key.chmod(mode)
    with pytest.raises(UsageError, match=said):
        serving(assayed, interrupt)
