from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from pipeline.core.errors import DigestMismatch, EngineError, UsageError
from pipeline.core.files import locked
from pipeline.core.project import Project
from pipeline.flow.serve import Access, Service, serve
from pipeline.flow.session import Session
from tests.deploy.door.test_beside import certificate
from tests.projects import alive, flip

HERE = Access()


def serving(
    project: Project,
    then: Callable[[Service], object],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    access: Access = HERE,
) -> Service:
    """Serve, do something once it is up, and stop; returns the service that was."""
    seen: list[Service] = []

    def started(service: Service) -> None:
        seen.append(service)
        then(service)

    session = Session(project)
    try:
        serve(session, session.current("small"), host=host, port=port, started=started, access=access)
    finally:
        assert not any(alive(service.backend.process.pid) for service in seen)
    return seen[0]


def interrupt(service: Service) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_it_serves_until_it_is_interrupted(assayed: Project, host: str) -> None:
    answers = []

    def ask(service: Service) -> None:
        key = service.key_file.read_text().strip()
        assert service.key_file.stat().st_mode & 0o777 == 0o600
        assert key not in service.backend.log.read_text() + " ".join(service.backend.process.argv)
        for headers in ({}, {"Authorization": f"Bearer {key}"}):
            answers.append(httpx.get(f"{service.url}/v1/models", headers=headers).status_code)
        raise KeyboardInterrupt

    service = serving(assayed, ask, host=host)
    assert answers == [401, 200]
    assert service.backend.upstream.names == ("small", f"small@{service.backend.lock.weights.sha256}")
    assert service.url.startswith("http://127.0.0.1:")
    key = service.key_file.read_text()
    assert serving(assayed, interrupt).key_file.read_text() == key  # clients keep theirs


def test_a_cold_store_is_filled_first(project: Project) -> None:
    assert serving(project, interrupt).backend.process.argv


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
        serving(assayed, lambda service: os.kill(service.backend.process.pid, signal.SIGKILL))
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
    held = locked(assayed.state / "serve" / "small" / "lock")
    with held, pytest.raises(UsageError, match=r"small is being served already: .*/lock is held by another process"):
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


def test_with_keys_and_tls_it_serves_others_under_its_name(assayed: Project, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("alice alice-0123456789abcdef\n")
    keys.chmod(0o600)
    cert, key = certificate(tmp_path)
    access = Access(keys=keys, tls=(cert, key), hosts=frozenset({"localhost"}), queue=3)
    answers = []

    def ask(service: Service) -> None:
        trusting = ssl.create_default_context(cafile=str(cert))
        with httpx.Client(verify=trusting, trust_env=False) as client:
            for given in ({}, {"X-Api-Key": "alice-0123456789abcdef"}):
                answers.append(client.get(f"{service.url}/v1/models", headers=given))
        raise KeyboardInterrupt

    service = serving(assayed, ask, host="0.0.0.0", access=access)
    assert service.url.startswith("https://localhost:") and service.key_file == keys
    assert [one.status_code for one in answers] == [401, 200]
    assert answers[1].headers["x-assay-lock"] == str(service.backend.lock.digest)
    assert not (assayed.state / "serve" / "small" / "key").exists()
    assert '"caller": "alice"' in service.access_log.read_text()


@pytest.mark.parametrize("given", ["keys", "tls"])
def test_one_of_keys_and_tls_is_not_enough_for_others(assayed: Project, tmp_path: Path, given: str) -> None:
    access = Access(keys=tmp_path / "keys") if given == "keys" else Access(tls=certificate(tmp_path))
    with pytest.raises(UsageError, match="is not this machine's loopback") as error:
        serving(assayed, interrupt, host="0.0.0.0", access=access)
    assert ("--tls-cert" in error.value.hint) is (given == "keys")


def test_a_stop_with_a_drain_lets_a_stream_end(assayed: Project) -> None:
    got: list[str] = []

    def ask(service: Service) -> None:
        key = service.key_file.read_text().strip()
        body = {"prompt": "Hello", "max_tokens": 600, "stream": True, "ignore_eos": True}
        begun = threading.Event()

        def read() -> None:
            headers = {"Authorization": f"Bearer {key}"}
            with httpx.stream("POST", f"{service.url}/v1/completions", headers=headers, json=body) as answer:
                for line in answer.iter_lines():
                    begun.set()
                    got.append(line)

        reading.append(threading.Thread(target=read))
        reading[0].start()
        assert begun.wait(20)
        raise KeyboardInterrupt

    reading: list[threading.Thread] = []
    serving(assayed, ask, access=Access(drain=30))
    reading[0].join()
    assert [line for line in got if line][-1] == "data: [DONE]"
