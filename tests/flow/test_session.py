from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import EngineError, LockOutOfDate, UsageError
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock
from pipeline.flow.session import Session
from tests.projects import edit


def test_names_are_those_given_each_once_or_the_catalog(project: Project) -> None:
    session = Session(project)
    assert session.names(("b", "a", "b")) == ["b", "a"]
    assert session.names(()) == ["small"]
    (project.specs / "small.yaml").unlink()
    with pytest.raises(UsageError, match="no specs in") as error:
        session.names(())
    assert "assay init" in error.value.hint


def test_a_lock_is_current_until_its_spec_moves(project: Project) -> None:
    session = Session(project)
    lock = session.current("small")
    assert session.stored(lock).weights == session.store.path(lock.weights.digest)
    assert session.stored(lock).template is None
    edit(project.specs / "small.yaml", "slots: 2", "slots: 3")
    with pytest.raises(LockOutOfDate, match=r"spec\.engine\.slots"):
        session.current("small")


def test_a_template_of_the_spec_is_stored_beside_the_weights(project: Project) -> None:
    (project.specs / "plain.jinja").write_text("{{ messages[0].content }}")
    with (project.specs / "small.yaml").open("a") as spec:
        spec.write("chat: {template: plain.jinja}\n")
    session = Session(project)
    stored = session.stored(make_lock(session, "small").lock)
    assert stored.template is not None
    assert stored.template.read_text() == "{{ messages[0].content }}"


def test_threads_are_the_spec_s_or_one_for_each_core(project: Project) -> None:
    session = Session(project)
    assert session.threads(session.current("small")) == 1
    edit(project.specs / "small.yaml", ", threads: 1", "")
    assert session.threads(make_lock(session, "small").lock) == session.hardware.physical_cores


def test_the_engine_is_looked_for_when_it_is_needed(project: Project, tmp_path: Path) -> None:
    session = Session(project, engine_path=tmp_path / "none")
    lock = session.current("small")
    with pytest.raises(EngineError, match="no llama-server at"):
        session.require_engine(lock)


def test_an_engine_of_another_commit_is_refused(project: Project, tmp_path: Path) -> None:
    other = tmp_path / "llama-server"
    other.write_text("#!/bin/sh\necho 'version: 1 (abcdef0)'\n")
    other.chmod(0o755)
    session = Session(project, engine_path=other)
    with pytest.raises(EngineError, match="the lock pins"):
        session.require_engine(session.current("small"))
