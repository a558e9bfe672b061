"""Projects whose models may be deployed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.core.project import Project
from tests.deployments import accept, nothing_after


@pytest.fixture
def accepted(tested: Project) -> Project:
    """A project whose gate accepted ``small``."""
    accept(tested)
    return tested


@pytest.fixture
def put_away(accepted: Project) -> Iterator[Project]:
    """A project whose gate accepted ``small``; nothing of it runs afterwards."""
    with nothing_after(accepted):
        yield accepted
