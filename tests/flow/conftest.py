"""Projects whose models may be deployed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from pipeline.core.project import Project
from pipeline.deploy.state import folder_of, read_state
from tests.deployments import accept


@pytest.fixture
def accepted(tested: Project) -> Project:
    """A project whose gate accepted ``small``."""
    accept(tested)
    return tested


@pytest.fixture
def put_away(accepted: Project) -> Iterator[Project]:
    """A project whose gate accepted ``small``; nothing of it runs afterwards."""
    yield accepted
    state = read_state(folder_of(accepted.state, "small"))
    if state and state.keeper.running():
        os.kill(state.keeper.pid, signal.SIGKILL)
