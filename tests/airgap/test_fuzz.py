"""Whatever a bundle says, it is taken in or refused: nothing else happens."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.airgap.carried import Damaged, open_bundle
from pipeline.airgap.checking import check
from pipeline.airgap.importing import take_in
from pipeline.core.errors import AssayError
from pipeline.core.project import Project
from tests.airgap.bundles import bundled, elsewhere, files_in, forged

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def whole(cold_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good bundle of a model whose weights are small enough to be written often."""
    folder = tmp_path_factory.mktemp("fuzz")
    project = Project(shutil.copytree(cold_project.root, folder / "project"))
    bundled(project, folder / "small.tar")
    (folder / "small.tar.sums").unlink()
    return folder / "small.tar"


def replace_one(data: st.DataObject, tree: Any) -> None:
    """Put another value somewhere into a JSON tree, or take one out."""
    while True:
        keys = sorted(tree) if isinstance(tree, dict) else list(range(len(tree)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if isinstance(tree[key], (dict, list)) and data.draw(st.booleans()):
            tree = tree[key]
            continue
        if data.draw(st.booleans()):
            tree[key] = data.draw(JSON)
        else:
            del tree[key]
        return


def outcome(bundle: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _, problems = check(open_bundle(bundle))
        fine = not problems
    except Damaged:
        fine = False
    project, store = elsewhere(folder)
    try:
        take_in(bundle, project, store)
    except AssayError as error:
        assert files_in(folder) == {}, error
    else:
        assert fine


@FEW
@given(data=st.data())
def test_any_description(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    def change(manifest: dict[str, Any], lock: dict[str, Any]) -> None:
        replace_one(data, manifest if data.draw(st.booleans()) else lock)

    try:
        bad = forged(whole, tmp_path / "bad.tar", change)
    except (KeyError, TypeError, AttributeError, ValueError):  # nothing that could be written
        return
    outcome(bad, tmp_path / "elsewhere")


@FEW
@given(at=st.integers(0, 60_000), byte=st.integers(0, 255), cut=st.integers(0, 1))
def test_any_byte(whole: Path, tmp_path: Path, at: int, byte: int, cut: int) -> None:
    content = bytearray(whole.read_bytes())
    content[at] = byte
    (tmp_path / "bad.tar").write_bytes(content[: at + 1] if cut else content)
    outcome(tmp_path / "bad.tar", tmp_path / "elsewhere")
