from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.core.errors import DigestMismatch
from pipeline.core.project import Project
from pipeline.flow.session import Session
from pipeline.flow.watch import Watch
from tests.projects import flip


@pytest.fixture
def session(assayed: Project) -> Session:
    return Session(assayed)


@pytest.fixture
def watch(session: Session) -> Watch:
    found = Watch(session, session.current("small"))
    found.look()
    return found


@pytest.fixture
def blob(session: Session) -> Path:
    return session.stored(session.current("small")).weights


def test_what_is_wrong_from_the_start_is_not_watched(session: Session, blob: Path) -> None:
    flip(blob)
    with pytest.raises(DigestMismatch, match="other bytes"):
        Watch(session, session.current("small"))


def test_what_was_hashed_just_now_is_hashed_again_only_where_it_looks_otherwise(
    session: Session, watch: Watch, blob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, hashed = session.current("small"), list[int]()
    (mark,) = filter(None, watch._marks)
    marks = {blob: mark}
    monkeypatch.setattr("pipeline.flow.watch.verify_all", lambda *_, **__: hashed.append(1))
    Watch(session, lock, marks)
    assert not hashed
    Watch(session, lock, {})
    Watch(session, lock, {blob: (*mark[:4], 0)})
    assert len(hashed) == 2
    monkeypatch.undo()
    flip(blob)
    with pytest.raises(DigestMismatch, match="other bytes"):
        Watch(session, lock, marks)


def test_one_bit_with_size_and_times_kept_is_noticed(watch: Watch, blob: Path) -> None:
    flip(blob)
    with pytest.raises(DigestMismatch, match="other bytes than the lock names"):
        watch.look()
    assert not blob.exists()


def test_a_file_that_was_only_touched_is_hashed_and_good(watch: Watch, blob: Path) -> None:
    blob.touch()
    blob.chmod(0o644)
    watch.look()
    watch.look()


def test_another_file_in_its_place_is_noticed_though_its_bytes_are_the_same(watch: Watch, blob: Path) -> None:
    shutil.copy2(blob, blob.with_name("new"))
    blob.with_name("new").replace(blob)
    with pytest.raises(DigestMismatch, match="was replaced while it was served"):
        watch.look()


def test_a_file_that_is_gone_is_noticed(watch: Watch, blob: Path) -> None:
    blob.unlink()
    with pytest.raises(DigestMismatch, match="missing"):
        watch.look()
