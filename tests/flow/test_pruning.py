from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import LockOutOfDate, UsageError
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock
from pipeline.flow.prepare import fetch_all
from pipeline.flow.pruning import prune_store, users
from pipeline.flow.session import Session
from pipeline.lock.load import lock_path
from tests import zoo
from tests.projects import edit


@pytest.fixture
def shared(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Session, Session]:
    """Two projects on one store, each with another model in it."""
    monkeypatch.setenv("ASSAY_STORE", str(tmp_path / "store"))
    other = Project(shutil.copytree(project.root, tmp_path / "other"))
    zoo.changed(general__name="other")(other.root / "models" / "small.gguf")
    sessions = Session(project), Session(other)
    for session in sessions:
        fetch_all(session, [make_lock(session, "small").lock])
    return sessions


def blobs(session: Session) -> set[str]:
    return {path.name for path in (session.store.root / "blobs").rglob("*") if path.is_file() and not path.suffix}


def test_what_no_lock_names_goes_and_what_one_names_stays(project: Project) -> None:
    session = Session(project)
    old = make_lock(session, "small").lock
    fetch_all(session, [old])
    zoo.changed(general__name="newer")(project.root / "models" / "small.gguf")
    new = make_lock(session, "small").lock
    fetch_all(session, [new])
    assert blobs(session) == {old.weights.digest.hex, new.weights.digest.hex}
    assert prune_store(session, dry_run=True).bytes > old.weights.size * 0.9 and len(blobs(session)) == 2
    prune_store(session, dry_run=False)
    assert blobs(session) == {new.weights.digest.hex}
    assert prune_store(session, dry_run=False).files == 0


def test_a_store_keeps_what_other_projects_lock(shared: tuple[Session, Session]) -> None:
    one, two = shared
    assert users(one.project, one.store) == [one.project.root.resolve(), two.project.root.resolve()]
    assert len(blobs(one)) == 2
    assert prune_store(one, dry_run=False).files == 0 and len(blobs(one)) == 2


def test_a_project_that_is_not_there_is_asked_about(shared: tuple[Session, Session]) -> None:
    one, two = shared
    gone = two.project.root
    lost = lock_path(two.project, "small").read_text()
    gone.rename(gone.with_name("elsewhere"))
    with pytest.raises(UsageError, match=r"used by the project in .*other too") as caught:
        prune_store(one, dry_run=False)
    assert f"--forget {gone}" in caught.value.hint and len(blobs(one)) == 2
    assert prune_store(one, dry_run=False, forget=(gone,)).files > 0
    (left,) = blobs(one)
    assert Digest(left) == one.current("small").weights.digest and left not in lost
    assert users(one.project, one.store) == [one.project.root.resolve()]


def test_a_lock_that_can_not_be_read_keeps_everything(project: Project) -> None:
    session = Session(project)
    fetch_all(session, [session.current("small")])
    edit(lock_path(project, "small"), '"role": "weights"', '"role": "diary"')
    with pytest.raises(LockOutOfDate):
        prune_store(session, dry_run=False)
    assert len(blobs(session)) == 1
