from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.airgap.bundle import write_bundle
from pipeline.airgap.contents import gather
from pipeline.airgap.importing import take_in
from pipeline.attest.check import BUNDLE_FILE, PROVENANCE_FILE, SUMMARY_FILE
from pipeline.attest.keys import PrivateKey
from pipeline.core.errors import DigestMismatch, NotSigned, UsageError
from pipeline.core.project import Project
from pipeline.flow.attesting import attest, signed
from pipeline.flow.judge import judge
from pipeline.flow.session import Session
from tests.airgap.bundles import elsewhere
from tests.attest.signing import private
from tests.projects import edit, flip


def folder_of(project: Project) -> Path:
    return project.attestations / "small"


def attested(project: Project, key: PrivateKey) -> Session:
    """Judge and attest the small model."""
    session = Session(project)
    lock = session.current("small")
    decision = judge(session, lock)
    assert decision.accepted, decision.reasons
    made = attest(session, lock, key, folder_of(project))
    assert made.missing == () or not key.public.is_ec
    return session


def test_from_the_record_to_signed_files_and_back(tested: Project, tmp_path: Path) -> None:
    key = private(tmp_path)
    session = attested(tested, key)
    first = {path.name: path.read_bytes() for path in folder_of(tested).iterdir()}
    assert set(first) == {PROVENANCE_FILE, SUMMARY_FILE, BUNDLE_FILE}
    lock = session.current("small")
    assert [one.kind for one in signed(session, lock, [key.public])] == ["provenance", "gate", "model-signing"]
    attested(tested, key)
    assert {path.name: path.read_bytes() for path in folder_of(tested).iterdir()} == first


def test_attestations_cross_the_gap(tested: Project, tmp_path: Path) -> None:
    key = private(tmp_path)
    session = attested(tested, key)
    lock = session.current("small")
    (folder_of(tested) / "my-own.sig").write_text("another tool's")
    write_bundle([gather(tested, session.store, lock)], tmp_path / "small.tar")
    other, store = elsewhere(tmp_path / "elsewhere")
    take_in(tmp_path / "small.tar", other, store)
    assert len(signed(Session(other), lock, [key.public])) == 3
    (folder_of(other) / SUMMARY_FILE).write_text("{}")
    with pytest.raises(UsageError, match=r"gate\.dsse\.json"):
        take_in(tmp_path / "small.tar", other, store)


def test_an_accepted_model_is_attested(assayed: Project, tmp_path: Path) -> None:
    key = private(tmp_path)
    session = attested(assayed, key)
    lock = session.current("small")
    assert [one.kind for one in signed(session, lock, [key.public])] == ["provenance", "gate", "model-signing"]
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copy(session.store.path(lock.weights.digest), folder / lock.weights.path)
    command = [
        sys.executable,
        "-m",
        "model_signing",
        "verify",
        "key",
        str(folder),
        "--public_key",
        str(tmp_path / "key.pub"),
    ]
    done = subprocess.run(
        [*command, "--signature", str(folder_of(assayed) / BUNDLE_FILE)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_decision_nothing_is_said_of_the_gate(project: Project, tmp_path: Path) -> None:
    from pipeline.flow.prepare import fetch_all

    session, key = Session(project), private(tmp_path, "ed25519")
    lock = session.current("small")
    fetch_all(session, [lock])
    folder_of(project).mkdir(parents=True)
    for name in (SUMMARY_FILE, BUNDLE_FILE):
        (folder_of(project) / name).write_text("left from another time")
    made = attest(session, lock, key, folder_of(project))
    assert (made.accepted, [path.name for path in made.files]) == (None, [PROVENANCE_FILE])
    assert [path.name for path in folder_of(project).iterdir()] == [PROVENANCE_FILE]
    assert "assay run small" in made.missing[0]
    assert "P-256" in made.missing[1]
    with pytest.raises(NotSigned, match="no decision of the gate on small is attested"):
        signed(session, lock, [key.public])


def relock(project: Project) -> None:
    """Change what the lock pins."""
    from pipeline.flow.locking import make_lock

    edit(project.specs / "small.yaml", "slots: 2", "slots: 1")
    make_lock(Session(project), "small")


def forge(project: Project) -> None:
    edit(folder_of(project) / SUMMARY_FILE, '"payloadType"', '"x": 1, "payloadType"')
    content = (folder_of(project) / PROVENANCE_FILE).read_text()
    (folder_of(project) / PROVENANCE_FILE).write_text(content.replace('"payload": "e', '"payload": "f'))


@pytest.mark.parametrize("change", [relock, forge])
def test_what_changed_since_is_refused(tested: Project, tmp_path: Path, change: Callable[[Project], None]) -> None:
    key = private(tmp_path)
    attested(tested, key)
    change(tested)
    with pytest.raises(NotSigned):
        signed(Session(tested), Session(tested).current("small"), [key.public])


def test_bytes_that_are_not_the_locked_ones_are_not_signed(tested: Project, tmp_path: Path) -> None:
    session = Session(tested)
    lock = session.current("small")
    flip(session.store.path(lock.weights.digest))
    with pytest.raises(DigestMismatch, match="other bytes"):
        attest(session, lock, private(tmp_path), folder_of(tested))
    assert not folder_of(tested).exists()
