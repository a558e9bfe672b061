"""Projects whose models may be deployed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.core.project import Project
from tests.deployments import accept, nothing_after
from tests.residents import Begin, Holding, holding, make_several, served


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


@pytest.fixture(scope="module")
def several(cold_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with four models, all in the store: three that fit, and ``broken``. Not to be changed: take ``own``."""
    folder = tmp_path_factory.mktemp("several") / "project"
    return make_several(Project(shutil.copytree(cold_project.root, folder)))


@pytest.fixture
def own(several: Project, tmp_path: Path) -> Project:
    """A project with four models, all in the store: three that fit, and ``broken``."""
    return Project(shutil.copytree(several.root, tmp_path / "project"))


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Start ``assay serve`` with arguments; it is over with the test."""
    with ExitStack() as stack:
        yield lambda project, *arguments: stack.enter_context(served(project, *arguments))


@pytest.fixture
def engine(tmp_path: Path) -> Holding:
    """An engine that can be held before it loads a model."""
    return holding(tmp_path / "engine")
