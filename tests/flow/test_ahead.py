from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import DeployError
from pipeline.core.project import Project
from pipeline.deploy.state import State, folder_of
from pipeline.flow.ahead import Ahead, ahead
from pipeline.flow.deploying import Wanted
from pipeline.flow.keeping import begin
from pipeline.flow.session import Session
from tests.deployments import answer, log_of, nothing_after, put, state_of
from tests.projects import alive, assay, flip


def test_one_that_is_told_nothing_leaves_nothing(project: Project) -> None:
    with ahead(project, None, "small") as keeper:
        assert keeper and alive(keeper.pid)
    assert not alive(keeper.pid) and not folder_of(project.state, "small").exists()
    with pytest.raises(KeyboardInterrupt), Ahead(project.root, None) as keeper:
        raise KeyboardInterrupt
    assert not alive(keeper.pid)


def test_one_whose_starter_is_gone_ends(project: Project) -> None:
    keeper = Ahead(project.root, None)
    os.close(keeper._pipe)
    assert os.waitstatus_to_exitcode(os.waitpid(keeper.pid, 0)[1]) == 0


def test_a_refused_deployment_leaves_no_process_and_no_folder(project: Project) -> None:
    code, _, err = assay("deploy", "small", project=project)
    assert code == 1 and "there is no decision" in err
    assert not folder_of(project.state, "small").exists() and not log_of(project).lines


def test_it_becomes_the_keeper_and_writes_to_its_own_log(tested: Project) -> None:
    with nothing_after(tested):
        done = answer(tested, "deploy", "small", "--port", "0", "--override", "a test")
        state = state_of(tested)
        outputs = {number: str(Path(f"/proc/{state.keeper.pid}/fd/{number}").readlink()) for number in range(3)}
        log = str(folder_of(tested.state, "small") / "log")
        assert outputs == {0: os.devnull, 1: log, 2: log} and done["url"] == f"{state.url}/v1"
        with ahead(tested, None, "small") as keeper:
            assert keeper is None, "the one that runs will do"


def test_what_changes_between_hash_and_start_is_never_served(tested: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def flipped(session: Session, *arguments: Any, **how: Any) -> State:
        assert how["hashed"]
        flip(session.stored(session.current("small")).weights)
        return begin(session, *arguments, **how)

    monkeypatch.setattr("pipeline.flow.deploying.begin", flipped)
    with nothing_after(tested), pytest.raises(DeployError, match=r"did not come up: .*other bytes than the lock names"):
        put(tested, Wanted("local", port=0, override="a test"))
    assert [line.event.action for line in log_of(tested).lines] == ["deploy", "failed"]
