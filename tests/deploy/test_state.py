from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.deploy.state import Alive, State, read_state, start_of, this, write_state


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    state = State("sha256:1", "running", this(), engine=Alive(3, "4"), url="http://x", models=("a", "b"), restarts=2)
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state
    write_state(tmp_path, replace(state, engine=None))
    assert read_state(tmp_path) == replace(state, engine=None)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[]", b'{"entry": 1, "keeper": []}', b"\xff"])
def test_what_is_no_state_is_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "state.json").write_bytes(content)
    assert read_state(tmp_path) is None


def test_a_process_is_known_by_its_start_not_by_its_number_alone() -> None:
    assert this().running()
    assert not Alive(os.getpid(), "1").running()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    alive = Alive(child.pid, start_of(child.pid))
    assert alive.running()
    child.communicate()
    assert not alive.running() and start_of(child.pid) == ""


def test_one_that_only_waits_to_be_buried_does_not_run() -> None:
    child = subprocess.Popen(["/bin/true"])
    alive = Alive(child.pid, start_of(child.pid))
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not alive.running()
    child.wait()
