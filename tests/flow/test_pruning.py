from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import LockOutOfDate, UsageError
from pipeline.core.project import Project
from pipeline.flow import locking, pruning
from pipeline.flow.locking import make_lock, make_locks
from pipeline.flow.prepare import fetch_all
from pipeline.flow.pruning import prune_store, wanted
from pipeline.flow.session import Session
from pipeline.lock.load import lock_path, write_lock
from pipeline.lock.model import Lockfile
from pipeline.store.layout import Store
from pipeline.store.sharing import users
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


@contextmanager
def nobody() -> Iterator[None]:
    """Root may list everything, so root gives its rights up for a while."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_locks_that_can_not_be_listed_are_not_taken_for_none() -> None:
    with TemporaryDirectory() as folder:
        project = Project(Path(folder))
        project.root.chmod(0o755)
        project.specs.mkdir()
        project.lockfiles.mkdir()
        assert wanted(project, Store(project.store)) == set()
        project.lockfiles.chmod(0)
        with nobody(), pytest.raises(PermissionError, match="lockfiles"):
            wanted(project, Store(project.store))


def gone(lockfiles: Path) -> None:
    shutil.rmtree(lockfiles)


def a_file(lockfiles: Path) -> None:
    shutil.rmtree(lockfiles)
    lockfiles.write_text("")


def a_link_to_nothing(lockfiles: Path) -> None:
    shutil.rmtree(lockfiles)
    lockfiles.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("happened", "kind", "said"),
    [
        (gone, UsageError, "there are specs and no locks"),
        (a_link_to_nothing, UsageError, "there are specs and no locks"),
        (a_file, NotADirectoryError, "lockfiles"),
    ],
)
def test_specs_without_a_folder_of_locks_keep_everything(
    project: Project, happened: Callable[[Path], None], kind: type[Exception], said: str
) -> None:
    session = Session(project)
    fetch_all(session, [session.current("small")])
    happened(project.lockfiles)
    for dry_run in (True, False):
        with pytest.raises(kind, match=said):
            prune_store(session, dry_run=dry_run)
    assert len(blobs(session)) == 1


@pytest.mark.parametrize("happened", [gone, a_link_to_nothing])
def test_another_project_without_its_locks_is_asked_about(
    shared: tuple[Session, Session], happened: Callable[[Path], None]
) -> None:
    one, two = shared
    happened(two.project.lockfiles)
    with pytest.raises(UsageError, match=r"other too, whose lockfiles/ is missing") as caught:
        prune_store(one, dry_run=False)
    assert f"--forget {two.project.root}" in caught.value.hint and len(blobs(one)) == 2
    prune_store(one, dry_run=False, forget=(two.project.root,))
    assert len(blobs(one)) == 1


def test_an_empty_project_has_nothing_to_remove(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    assert prune_store(Session(Project(tmp_path)), dry_run=False).files == 0
    assert not (tmp_path / ".assay").exists()


def test_a_file_where_the_store_should_be_is_told(project: Project) -> None:
    shutil.rmtree(project.state, ignore_errors=True)
    project.state.write_text("")
    for dry_run in (True, False):
        with pytest.raises(NotADirectoryError):
            prune_store(Session(project), dry_run=dry_run)


@pytest.mark.parametrize("names", [["small"], ["small", "twin"]])
def test_what_is_learnt_for_a_lock_stays_while_the_lock_is_not_written(
    project: Project, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    session, write = Session(project), write_lock
    twin = (project.specs / "small.yaml").read_text().replace("name: small", "name: twin")
    (project.specs / "twin.yaml").write_text(twin)
    lock_path(project, "small").unlink()

    def prune_first(at: Project, lock: Lockfile) -> bool:
        with pytest.raises(UsageError, match="being locked"):
            prune_store(session, dry_run=False)
        return write(at, lock)

    monkeypatch.setattr(locking, "write_lock", prune_first)
    for made in make_locks(session, names):
        assert made.written and session.store.has(made.lock.weights.digest)
    assert prune_store(session, dry_run=False).files == 0


def test_a_lock_that_is_made_during_a_prune_keeps_its_blobs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    session, read = Session(project), pruning.wanted
    fetch_all(session, [session.current("small")])
    lock_path(project, "small").unlink()
    thread = threading.Thread(target=make_lock, args=(session, "small"))

    def lock_then(*asked: Project) -> set[Digest]:
        found = read(session.project, session.store)
        thread.start()
        thread.join(1)
        return found

    monkeypatch.setattr(pruning, "wanted", lock_then)
    assert prune_store(session, dry_run=False).files == 2
    thread.join()
    assert session.store.trusted(session.current("small").weights.digest)
