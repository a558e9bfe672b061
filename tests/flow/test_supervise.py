"""A crash loop, with the real engine: what comes after each end is tested with the rest in test_deploying."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from pipeline.core.project import Project
from pipeline.deploy.log import log_path, read
from pipeline.deploy.state import folder_of, read_state
from pipeline.flow import supervise
from pipeline.flow.deploying import Wanted, deploy
from pipeline.flow.session import Session
from tests.projects import until


@pytest.fixture
def keeper(tested: Project, tmp_path: Path) -> supervise.Keeper:
    """The keeper of a deployment that nobody started yet."""
    session = Session(tested)
    line = deploy(session, session.current("small"), Wanted("systemd", port=0, override="a test", output=tmp_path)).line
    return supervise.Keeper(tested, line)


def test_a_crash_loop_ends_with_the_reason(keeper: supervise.Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "CRASHES", 3)
    monkeypatch.setattr(supervise, "_FIRST_WAIT", 0.05)
    killed: list[int] = []

    def kill() -> None:
        for _ in range(3):
            until(
                lambda: (
                    (engine := keeper.state.engine) is not None
                    and engine.pid not in killed
                    and keeper.state.phase == "running"
                )
            )
            assert keeper.state.engine
            killed.append(keeper.state.engine.pid)
            os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    code = keeper.run()
    killer.join()
    state = read_state(folder_of(keeper.project.state, "small"))
    assert code == 7 and state == keeper.state and state.phase == "failed" and state.restarts == 2
    assert "crash loop: 3 crashes" in state.reason and "killed by SIGKILL" in state.reason
    last = read(log_path(keeper.project.state)).require().lines[-1].event
    assert (last.action, last.reason) == ("failed", state.reason) and "never_answered" not in last.options


def test_it_can_be_stopped_while_it_waits_for_the_next_start(
    keeper: supervise.Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SIGTERM does, which its program turns into an interruption."""
    monkeypatch.setattr(supervise, "_FIRST_WAIT", 60.0)

    def stop() -> None:
        until(lambda: keeper.state.phase == "running")
        assert keeper.state.engine
        os.kill(keeper.state.engine.pid, signal.SIGKILL)
        until(lambda: keeper.state.phase == "waiting")
        os.kill(os.getpid(), signal.SIGINT)

    stopper = threading.Thread(target=stop)
    stopper.start()
    assert keeper.run() == 0
    stopper.join()
    assert keeper.state.phase == "stopped" and keeper.state.restarts == 0


def test_another_engine_than_was_deployed_does_not_start(keeper: supervise.Keeper) -> None:
    from dataclasses import replace

    other = replace(keeper.line, event=replace(keeper.line.event, engine="sha256:" + "0" * 64))
    again = supervise.Keeper(keeper.project, other)
    assert again.run() == 7
    assert "the engine is another than was deployed" in again.state.reason
    assert read(log_path(keeper.project.state)).require().lines[-1].event.options == {
        "never_answered": True,
        "entry": other.digest,
    }
