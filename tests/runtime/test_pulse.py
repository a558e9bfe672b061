from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipeline.core.project import Project
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.pulse import Pulse
from pipeline.runtime.server import Running
from tests.deployments import engine_of
from tests.projects import until

# A grammar of a thousand things that may be there or not keeps the engine for longer than anybody waits.
HARD = {"prompt": "a", "max_tokens": 20, "grammar": "root ::= " + '"a"? ' * 1000}


@pytest.fixture
def served(engine_build: EngineBuild, cold_project: Project, tiny_chat: Path) -> Iterator[Running]:
    """A server with a model of its own."""
    with engine_of(cold_project, tiny_chat) as (running, _):
        yield running


def test_a_server_that_works_is_not_stuck_and_one_that_turns_in_a_circle_is(served: Running) -> None:
    sound = Pulse(served.socket, served.key, after=20.0, every=0.05)
    for _ in range(3):
        served.client.post("/v1/completions", json={"prompt": "a", "max_tokens": 64, "ignore_eos": True})
    time.sleep(0.2)
    sound.close()
    assert not sound.stuck and not sound._thread.is_alive()
    with pytest.raises(httpx.ReadTimeout):
        served.client.post("/v1/completions", json=HARD, timeout=1.0)
    assert served.client.get("/health").status_code == 200  # it says that all is well
    pulse = Pulse(served.socket, served.key, after=0.5, every=0.05)
    until(lambda: pulse.stuck, 10)
    waiting = Pulse(served.socket, served.key, after=60.0, every=0.05)
    time.sleep(0.3)
    served.process.stop(0.0)
    waiting.close()  # what waits for a server ends with it
    assert not waiting.stuck and not waiting._thread.is_alive()


def test_a_server_that_is_gone_is_not_stuck(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path / "none", "", after=0.1, every=0.01)
    time.sleep(0.2)
    assert not pulse.stuck and pulse._thread.is_alive()
    pulse.close()
    assert not pulse._thread.is_alive()
