from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import UsageError
from pipeline.core.project import Project


def test_a_project_is_found_from_anywhere_below(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "a" / "b").mkdir(parents=True)
    for start in (tmp_path, tmp_path / "specs", tmp_path / "a" / "b", tmp_path / "not" / "there"):
        assert Project.find(start) == Project(tmp_path.resolve())


def test_no_project_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder specs/ in") as caught:
        Project.find(tmp_path)
    assert "assay init" in caught.value.hint


def test_the_store_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_STORE", raising=False)
    project = Project(tmp_path)
    assert project.store == tmp_path / ".assay" / "store"
    monkeypatch.setenv("HOME", "/home/someone")
    for named, place in {
        "/big/disk": Path("/big/disk"),
        "shared": tmp_path / "shared",
        "~/s": Path("/home/someone/s"),
    }.items():
        monkeypatch.setenv("ASSAY_STORE", named)
        assert project.store == place


def test_everything_lies_below_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_STORE", raising=False)
    project = Project(tmp_path)
    places = [
        project.specs,
        project.suites,
        project.lockfiles,
        project.reports,
        project.state,
        project.store,
        project.database,
    ]
    assert all(place.is_relative_to(tmp_path) for place in places) and len(set(places)) == len(places)


def test_what_is_made_again_is_kept_out_of_repositories(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.hide()
    assert not project.state.exists(), "nothing is there to hide"
    project.state.mkdir()
    project.hide()
    assert (project.state / ".gitignore").read_text() == "*\n"
    (project.state / ".gitignore").write_text("mine")
    project.hide()
    assert (project.state / ".gitignore").read_text() == "mine"
