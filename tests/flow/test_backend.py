from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
import pytest

from pipeline.core.errors import EngineError
from pipeline.core.project import Project
from pipeline.flow import backend
from pipeline.flow.backend import Backend
from pipeline.flow.session import Session
from pipeline.runtime.pulse import Pulse
from tests.projects import alive
from tests.runtime.test_pulse import HARD


@pytest.fixture
def running(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Backend]:
    """An engine that is called stuck after a second."""
    monkeypatch.setattr(backend, "Pulse", partial(Pulse, after=1.0, every=0.05))
    session = Session(project)
    with backend.start(session, session.current("small"), tmp_path / "log") as one:
        yield one
    assert not alive(one.process.pid)


def test_an_engine_that_a_request_keeps_is_an_error(running: Backend) -> None:
    with running.client() as client:
        client.post("/v1/completions", json={"prompt": "a", "max_tokens": 64}, timeout=30)
        running.look(1.5)
        with suppress(httpx.TimeoutException):
            client.post("/v1/completions", json=HARD, timeout=1.0)
    with pytest.raises(EngineError, match="is stuck: its loop gave no sign for 1 s"):
        for _ in range(10):
            running.look(1.0)


def test_an_engine_that_dies_is_an_error_with_the_end_of_its_log(running: Backend) -> None:
    os.kill(running.process.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="ended by itself: killed by SIGKILL") as error:
        running.look(10.0)
    assert str(running.log) in error.value.hint
    running.stop()
    running.stop()


def test_an_engine_whose_socket_was_tidied_up_is_an_error(running: Backend) -> None:
    running.look()
    shutil.rmtree(running.upstream.socket.parent)
    with pytest.raises(EngineError, match="the socket of llama-server is gone"):
        running.look()
