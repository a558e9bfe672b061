from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from pipeline.airgap.carried import open_bundle
from pipeline.airgap.checking import check
from pipeline.airgap.importing import take_in
from pipeline.airgap.mirror import mirror
from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, UsageError
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock
from pipeline.flow.session import Session
from pipeline.store.layout import Store
from tests.airgap.bundles import elsewhere, files_in, packed, verify
from tests.projects import edit, flip


def another(project: Project) -> None:
    text = (project.specs / "small.yaml").read_text()
    (project.specs / "other.yaml").write_text(text.replace("name: small", "name: other"))
    make_lock(Session(project), "other")


def visible(folder: Path) -> set[str]:
    """Return the names in a mirror, without those that keep two from writing at once."""
    names = {path.name for path in folder.iterdir()}
    assert {name for name in names if name[0] == "."} <= {".lock", ".lock.owner"}
    return {name for name in names if name[0] != "."}


def blob_of(project: Project, folder: Path) -> tuple[Path, Path]:
    """Return the weights in the store and in the mirror."""
    digest = packed(project).lock.weights.digest
    return Store(project.store).path(digest), folder / "blobs" / "sha256" / digest.hex


def test_it_is_a_layout_that_can_be_checked_and_taken_in(project: Project, tmp_path: Path) -> None:
    done = mirror([packed(project)], tmp_path / "mirror")
    assert (done.blobs, done.models) == (7, ("small",))
    models, problems = check(open_bundle(tmp_path / "mirror"))
    assert ([model.name for model in models], problems) == (["small"], [])
    assert verify(script=tmp_path / "mirror" / "verify.py").returncode == 0
    other, store = elsewhere(tmp_path / "elsewhere")
    take_in(tmp_path / "mirror", other, store)
    assert files_in(other.lockfiles) == files_in(project.lockfiles)


def test_blobs_are_linked_to_the_store_and_copied_where_that_cannot_be(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror([packed(project)], tmp_path / "linked")
    stored, linked = blob_of(project, tmp_path / "linked")
    assert linked.samefile(stored)
    stored.chmod(0o644)  # somebody may write to it: no link
    mirror([packed(project)], tmp_path / "copied")
    _, copied = blob_of(project, tmp_path / "copied")
    assert not copied.samefile(stored) and copied.stat().st_mode & 0o777 == 0o444
    assert Digest.of_file(copied).hex == copied.name


def test_a_second_time_only_what_is_new_is_brought(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "mirror"
    mirror([packed(project)], folder)
    assert mirror([packed(project)], folder).blobs == 0
    another(project)
    done = mirror([packed(project, "other")], folder)
    assert (done.blobs, done.models) == (3, ("other", "small"))  # its manifest, its lock, its spec
    edit(project.specs / "small.yaml", "slots: 2", "slots: 1")
    make_lock(Session(project), "small")
    mirror([packed(project)], folder)
    models, problems = check(open_bundle(folder))
    assert ([model.name for model in models], problems) == (["other", "small"], [])
    assert models[1].hex == packed(project).lock.digest.hex
    assert visible(folder) == {"oci-layout", "index.json", "README.txt", "verify.py", "blobs"}


def test_the_same_models_are_the_same_files(project: Project, tmp_path: Path) -> None:
    another(project)
    mirror([packed(project), packed(project, "other")], tmp_path / "at once")
    mirror([packed(project)], tmp_path / "in turn")
    mirror([packed(project, "other")], tmp_path / "in turn")
    one, other = files_in(tmp_path / "at once"), files_in(tmp_path / "in turn")
    assert {name for name in one if name[0] != "."} == {name for name in other if name[0] != "."}
    assert one["index.json"] == other["index.json"]


@pytest.mark.parametrize("linked", [True, False])
def test_a_bad_blob_in_the_store_is_not_mirrored(project: Project, tmp_path: Path, linked: bool) -> None:
    model = packed(project)
    stored = Store(project.store).path(model.lock.weights.digest)
    flip(stored)
    if not linked:
        stored.chmod(0o644)
    with pytest.raises(DigestMismatch, match=model.lock.weights.digest.hex):
        mirror([model], tmp_path / "mirror")
    assert not list((tmp_path / "mirror").rglob("*.json"))
    assert not (tmp_path / "mirror" / "blobs" / "sha256" / model.lock.weights.digest.hex).exists()
    assert visible(tmp_path / "mirror") == {"blobs"}


@pytest.mark.parametrize("how", ["flipped", "short"])
def test_a_bad_blob_in_the_mirror_is_replaced(project: Project, tmp_path: Path, how: str) -> None:
    mirror([packed(project)], tmp_path / "mirror")
    stored, there = blob_of(project, tmp_path / "mirror")
    there.unlink()
    shutil.copy(stored, there)
    flip(there, 1000)
    if how == "short":
        there.chmod(0o644)
        os.truncate(there, 1000)
    assert mirror([packed(project)], tmp_path / "mirror").blobs == 1
    assert check(open_bundle(tmp_path / "mirror"))[1] == []


def test_one_that_was_interrupted_goes_on(project: Project, tmp_path: Path) -> None:
    model = packed(project)
    stored = Store(project.store).path(model.lock.weights.digest)
    away = stored.rename(tmp_path / "away")
    with pytest.raises(DigestMismatch, match="is not in the store"):
        mirror([model], tmp_path / "mirror")
    away.rename(stored)
    mirror([model], tmp_path / "mirror")
    assert check(open_bundle(tmp_path / "mirror"))[1] == []


@pytest.mark.parametrize("what", ["a file", "somebody's folder", "a container image", "a broken index"])
def test_what_is_something_else_stays_as_it_is(project: Project, tmp_path: Path, what: str) -> None:
    folder = tmp_path / "mirror"
    match what:
        case "a file":
            folder.write_text("")
        case "somebody's folder":
            folder.mkdir()
            (folder / "thesis.txt").write_text("mine")
        case "a container image":
            (folder / "blobs" / "sha256").mkdir(parents=True)
            (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
            (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [{"digest": "sha256:x"}]}))
        case "a broken index":
            mirror([packed(project)], folder)
            (folder / "index.json").write_text("{")
    before = {name: content for name, content in files_in(folder).items() if name[0] != "."}
    with pytest.raises((UsageError, FileExistsError)):
        mirror([packed(project)], folder)
    assert {name: content for name, content in files_in(folder).items() if name[0] != "."} == before
