from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.airgap import importing
from pipeline.airgap.bundle import write_bundle
from pipeline.airgap.importing import take_in
from pipeline.core.errors import DigestMismatch, LockOutOfDate, UsageError
from pipeline.core.project import Project
from pipeline.flow.airgap import pack
from pipeline.flow.prepare import verify_all
from pipeline.flow.pruning import prune_store
from pipeline.flow.session import Session
from pipeline.lock.load import lock_path, require_current
from pipeline.spec.load import read_spec
from tests.airgap.bundles import bundled, elsewhere, files_in, forged, members, packed
from tests.airgap.test_bundle import Interrupts
from tests.projects import edit, flip


@pytest.fixture
def bundle(project: Project, tmp_path: Path) -> Path:
    """A bundle of the small project."""
    bundled(project, tmp_path / "small.tar")
    return tmp_path / "small.tar"


def test_what_comes_is_what_left_and_can_be_used(project: Project, bundle: Path, tmp_path: Path) -> None:
    other, store = elsewhere(tmp_path / "elsewhere")
    done = take_in(bundle, other, store)
    assert (done.blobs, done.size) == (1, (project.root / "models" / "small.gguf").stat().st_size)
    for name in ("specs", "evals", "lockfiles"):
        assert files_in(other.root / name) == files_in(project.root / name)
    assert sorted(done.written) == sorted(
        path for name in ("specs", "evals", "lockfiles") for path in (other.root / name).rglob("*") if path.is_file()
    )
    lock = require_current(other, read_spec(other.specs / "small.yaml"))
    (result,) = verify_all(Session(other), [lock], deep=True)
    assert result.ok
    receipt = store.receipt(lock.weights.digest)
    assert receipt and receipt.leaves and receipt.fits(store.path(lock.weights.digest).stat())
    assert store.path(lock.weights.digest).stat().st_mode & 0o777 == 0o444
    assert not list((store.root / "partial").rglob("*"))


@pytest.mark.parametrize("form", ["chunks", "folder"])
def test_every_form_comes_in(project: Project, bundle: Path, tmp_path: Path, form: str) -> None:
    other, store = elsewhere(tmp_path / "elsewhere")
    if form == "chunks":
        place = bundled(project, tmp_path / "cut.tar", chunk=1 << 20).paths[2]
    else:
        place = tmp_path / "layout"
        with tarfile.open(bundle) as tar:
            tar.extractall(place, filter="data")
    take_in(place, other, store)
    assert files_in(other.lockfiles) == files_in(project.lockfiles)


def test_a_second_time_brings_nothing(bundle: Path, tmp_path: Path) -> None:
    other, store = elsewhere(tmp_path / "elsewhere")
    take_in(bundle, other, store)
    before = {path: path.stat().st_mtime_ns for path in other.root.rglob("*") if path.is_file()}
    again = take_in(bundle, other, store)
    assert (again.blobs, again.size, again.written) == (0, 0, ())
    assert {path: path.stat().st_mtime_ns for path in other.root.rglob("*") if path.is_file()} == before


def test_a_dry_run_checks_all_and_writes_nothing(bundle: Path, tmp_path: Path) -> None:
    other, store = elsewhere(tmp_path / "elsewhere")
    done = take_in(bundle, other, store, dry_run=True)
    assert done.blobs == 1 and len(done.written) == 5
    assert not list(other.specs.iterdir()) and not store.root.exists()
    flip(bundle, -5000)
    bundle.with_name("small.tar.sums").unlink()
    with pytest.raises(DigestMismatch, match="sha256 is"):
        take_in(bundle, other, store, dry_run=True)


@pytest.mark.parametrize("what", ["lockfiles/small.lock.json", "specs/small.yaml", "evals/few/suite.yaml"])
def test_other_files_in_the_way_are_listed_and_nothing_is_written(bundle: Path, tmp_path: Path, what: str) -> None:
    other, store = elsewhere(tmp_path / "elsewhere")
    (other.root / what).parent.mkdir(parents=True, exist_ok=True)
    (other.root / what).write_text("mine\n")
    before = files_in(other.root)
    with pytest.raises(UsageError, match=what) as caught:
        take_in(bundle, other, store)
    assert "--force" in caught.value.hint
    assert files_in(other.root) == before
    take_in(bundle, other, store, force=True)
    require_current(other, read_spec(other.specs / "small.yaml"))


def test_files_that_would_change_a_suite_are_never_removed(bundle: Path, tmp_path: Path) -> None:
    other, store = elsewhere(tmp_path / "elsewhere")
    (other.suites / "few").mkdir(parents=True)
    (other.suites / "few" / "extra.jsonl").write_text("mine\n")
    for force in (False, True):
        with pytest.raises(UsageError, match=r"evals/few/extra\.jsonl"):
            take_in(bundle, other, store, force=force)
    (other.suites / "few" / "extra.jsonl").rename(other.suites / "few" / ".extra")
    take_in(bundle, other, store)
    require_current(other, read_spec(other.specs / "small.yaml"))


def test_an_interrupt_leaves_nothing(bundle: Path, tmp_path: Path) -> None:
    other, store = elsewhere(tmp_path / "elsewhere")
    with pytest.raises(KeyboardInterrupt):
        take_in(bundle, other, store, progress=Interrupts())
    assert files_in(other.root) == {}


def test_what_a_killed_import_left_goes_with_the_next(bundle: Path, tmp_path: Path) -> None:
    other, store = elsewhere(tmp_path / "elsewhere")
    (store.root / "partial" / "import-killed").mkdir(parents=True)
    (store.root / "partial" / "import-killed" / ("0" * 64)).write_bytes(b"half")
    (store.root / "partial" / ("1" * 64)).write_bytes(b"a download that will go on")
    take_in(bundle, other, store)
    assert [path.name for path in (store.root / "partial").iterdir()] == ["1" * 64]


def spec_and_lock_differ(manifest: Any, lock: Any) -> None:
    lock["spec"]["deploy"]["port"] = 9
    from pipeline.core.canonical import digest_of

    lock["spec_digest"] = str(digest_of(lock["spec"]))


def newer(manifest: Any, lock: Any) -> None:
    lock["lock_version"] = 999


def contradiction(manifest: Any, lock: Any) -> None:
    lock["spec_digest"] = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        (spec_and_lock_differ, UsageError, "is not what it is locked with"),
        (newer, LockOutOfDate, "has lock version 999"),
        (contradiction, LockOutOfDate, "is damaged: spec_digest"),
    ],
)
def test_locks_are_read_as_strictly_as_ever(
    bundle: Path, tmp_path: Path, change: Any, kind: type[Exception], said: str
) -> None:
    other, store = elsewhere(tmp_path / "elsewhere")
    with pytest.raises(kind, match=said) as caught:
        take_in(forged(bundle, tmp_path / "forged.tar", change), other, store)
    assert "assay-" not in str(caught.value)
    assert files_in(other.root) == {}


def test_a_suite_that_is_another_in_each_model_is_refused(project: Project, tmp_path: Path) -> None:
    from pipeline.flow.locking import make_lock

    first = packed(project)
    blobs = {layer.title: layer.blob.pieces() for layer in first.layers}
    kept = {title: b"".join(pieces) for title, pieces in blobs.items() if title.startswith("evals/")}
    spec = (project.specs / "small.yaml").read_text()
    (project.specs / "other.yaml").write_text(spec.replace("name: small", "name: other"))
    edit(project.suites / "greeting" / "suite.yaml", "Hello!", "Hi!")
    make_lock(Session(project), "other")
    second = packed(project, "other")
    from dataclasses import replace

    from pipeline.airgap.layout import Blob

    old = tuple(
        replace(layer, blob=Blob.of(kept[layer.title])) if layer.title in kept else layer for layer in first.layers
    )
    write_bundle([replace(first, layers=old), second], tmp_path / "two.tar")
    other, store = elsewhere(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"evals/greeting/suite\.yaml is two different files"):
        take_in(tmp_path / "two.tar", other, store)


def test_results_come_along(assayed: Project, tmp_path: Path) -> None:
    session = Session(assayed)
    for name in ("one", "two"):
        write_bundle(pack(session, ["small"]), tmp_path / f"{name}.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    other, store = elsewhere(tmp_path / "elsewhere")
    take_in(tmp_path / "one.tar", other, store)
    results = json.loads((other.state / "imported" / "small.results.json").read_text())
    assert results["schema"] == "assay.results/1"
    assert results["lock_digest"] == str(session.current("small").digest)
    assert results["decision"]["accepted"] is True
    assert [run["key"]["stage"] for run in results["runs"]] == ["lint", "check", "eval", "bench"]
    assert results["engine"]["digest"].startswith("sha256:") and len(results["hardware"]) > 1
    (without,) = pack(session, ["small"], results=False)
    assert "results" not in {layer.role for layer in without.layers}


def test_a_store_that_has_the_blob_is_not_written(project: Project, bundle: Path, tmp_path: Path) -> None:
    session = Session(project)
    lock = session.current("small")
    before = session.store.path(lock.weights.digest).stat()
    lock_path(project, "small").unlink()
    shutil.rmtree(project.suites)
    done = take_in(bundle, project, session.store)
    assert (done.blobs, len(done.written)) == (0, 4)
    assert session.store.path(lock.weights.digest).stat() == before
    assert {info.name for info, _ in members(bundle)} > {"verify.py", "README.txt"}


def test_what_was_taken_in_stays_while_its_locks_are_not_written(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, store = elsewhere(tmp_path / "elsewhere")
    other.lockfiles.mkdir()
    write = importing._write

    def prune_first(*what: Any) -> None:
        with pytest.raises(UsageError, match="being locked, imported or pruned"):
            prune_store(Session(other), dry_run=False)
        write(*what)

    monkeypatch.setattr(importing, "_write", prune_first)
    take_in(bundle, other, store)
    assert prune_store(Session(other), dry_run=False).files == 0
    assert store.trusted(Session(other).current("small").weights.digest)


def test_a_store_knows_a_project_that_took_something_in(
    project: Project, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_STORE", str(tmp_path / "store"))
    other, store = elsewhere(tmp_path / "elsewhere")
    take_in(bundle, other, store)
    lock_path(project, "small").unlink()
    assert prune_store(Session(project), dry_run=False).files == 0
    assert store.has(Session(other).current("small").weights.digest)
