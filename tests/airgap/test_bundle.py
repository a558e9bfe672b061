from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.airgap.bundle import write_bundle
from pipeline.airgap.carried import open_bundle
from pipeline.airgap.chunks import parse_size
from pipeline.airgap.described import read_models
from pipeline.core.digest import Digest
from pipeline.core.errors import DigestMismatch, UsageError
from pipeline.core.project import Project
from pipeline.lock.load import read_lock
from pipeline.store.layout import Store
from tests.airgap.bundles import bundled, members, packed, verify
from tests.projects import edit, flip


def test_it_holds_all_that_the_model_needs_and_says_so(project: Project, tmp_path: Path) -> None:
    made = bundled(project, tmp_path / "small.tar")
    lock = read_lock(project, "small")
    assert made.paths == (tmp_path / "small.tar", tmp_path / "small.tar.sums")
    assert made.digest == Digest.of_file(tmp_path / "small.tar")
    (model,) = read_models(open_bundle(tmp_path / "small.tar"))
    assert (model.name, model.hex) == ("small", lock.digest.hex)
    assert [(file.role, file.title) for file in model.files] == [
        ("weights", "small.gguf"),
        ("spec", "specs/small.yaml"),
        ("suite", "evals/few/items.jsonl"),
        ("suite", "evals/few/suite.yaml"),
        ("suite", "evals/greeting/suite.yaml"),
    ]
    assert model.files[0].hex == lock.weights.digest.hex


def test_the_same_content_is_the_same_bytes(project: Project, tmp_path: Path) -> None:
    first = bundled(project, tmp_path / "first.tar")
    for path in project.root.rglob("*"):
        if path.is_file():
            os.utime(path, (1, 1))
    second = bundled(project, tmp_path / "second.tar")
    assert (first.digest, first.size) == (second.digest, second.size)
    assert {(info.uid, info.gid, info.mtime, info.uname, info.mode) for info, _ in members(tmp_path / "first.tar")} == {
        (0, 0, 0, "", 0o644)
    }


def test_it_is_an_image_layout_for_other_tools(project: Project, tmp_path: Path) -> None:
    bundled(project, tmp_path / "small.tar")
    (tmp_path / "layout").mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "small.tar", "-C", tmp_path / "layout"], check=True)
    assert json.loads((tmp_path / "layout" / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads((tmp_path / "layout" / "index.json").read_text())["manifests"]
    manifest = json.loads((tmp_path / "layout" / "blobs/sha256" / entry["digest"][7:]).read_text())
    assert entry["artifactType"] == manifest["artifactType"] == "application/vnd.assay.model.v1"
    for described in [manifest["config"], *manifest["layers"]]:
        blob = tmp_path / "layout" / "blobs/sha256" / described["digest"][7:]
        assert Digest.of_file(blob).hex == blob.name and blob.stat().st_size == described["size"]


def test_skopeo_reads_it(project: Project, tmp_path: Path) -> None:
    if not shutil.which("skopeo"):
        pytest.skip("skopeo is not installed: no other tool has read a bundle. Debian: apt install skopeo")
    bundled(project, tmp_path / "small.tar")
    source, target = f"oci-archive:{tmp_path}/small.tar:small", f"dir:{tmp_path}/copy"
    subprocess.run(["skopeo", "--insecure-policy", "copy", source, target], check=True, capture_output=True)
    lock = read_lock(project, "small")
    assert Digest.of_file(tmp_path / "copy" / lock.digest.hex) == lock.digest
    assert Digest.of_file(tmp_path / "copy" / lock.weights.digest.hex) == lock.weights.digest


def test_chunks_are_cut_to_size_and_their_sums_are_those_of_coreutils(project: Project, tmp_path: Path) -> None:
    whole = bundled(project, tmp_path / "whole.tar")
    made = bundled(project, tmp_path / "small.tar", chunk=1 << 20)
    *chunks, sums = made.paths
    assert [path.stat().st_size for path in chunks[:-1]] == [1 << 20] * (len(chunks) - 1)
    assert (len(chunks), made.digest, made.size) == (-(-whole.size // (1 << 20)), whole.digest, whole.size)
    assert b"".join(path.read_bytes() for path in chunks) == (tmp_path / "whole.tar").read_bytes()
    assert subprocess.run(["sha256sum", "-c", "--strict", sums], cwd=tmp_path).returncode == 0
    assert f"sha256 {whole.digest.hex}" in sums.read_text()
    assert subprocess.run(["sha256sum", "-c", "--strict", "whole.tar.sums"], cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("how", ["flipped", "missing", "short", "long"])
def test_nothing_unverified_is_bundled(project: Project, tmp_path: Path, how: str) -> None:
    model = packed(project)
    blob = Store(project.store).path(model.lock.weights.digest)
    if how == "flipped":
        flip(blob)
    blob.chmod(0o644)
    if how == "missing":
        blob.unlink()
    if how in ("short", "long"):
        content = blob.read_bytes()
        blob.write_bytes(content[:-1] if how == "short" else content + b"x")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(DigestMismatch, match=model.lock.weights.digest.hex):
        write_bundle([model], out / "small.tar", chunk=1 << 20)
    assert list(out.iterdir()) == []


class Interrupts:
    """Progress that is interrupted when half the work is done."""

    def advance(self, amount: int = 1) -> None:
        self.left -= amount
        if self.left < 0:
            raise KeyboardInterrupt

    @contextmanager
    def task(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Interrupts]:
        self.left = (total or 0) // 2
        yield self

    def note(self, message: str) -> None:
        pass


def test_an_interrupt_leaves_nothing_half_made(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(KeyboardInterrupt):
        bundled(project, out / "small.tar", chunk=1 << 20, progress=Interrupts())
    assert list(out.iterdir()) == []
    before = bundled(project, out / "small.tar")
    with pytest.raises(KeyboardInterrupt):
        bundled(project, out / "small.tar", force=True, progress=Interrupts())
    assert sorted(out.iterdir()) == sorted(before.paths)
    assert Digest.of_file(out / "small.tar") == before.digest


def test_what_is_there_is_replaced_only_when_asked(project: Project, tmp_path: Path) -> None:
    bundled(project, tmp_path / "small.tar", chunk=1 << 20)
    for chunk in (None, 2 << 20):
        with pytest.raises(UsageError, match="exists"):
            bundled(project, tmp_path / "small.tar", chunk=chunk)
    made = bundled(project, tmp_path / "small.tar", chunk=2 << 20, force=True)
    assert sorted(tmp_path.glob("small.tar*")) == sorted(made.paths)
    for name in ("models.001", "models.tar.sums"):
        with pytest.raises(UsageError, match="looks like a part"):
            bundled(project, tmp_path / name)
    with pytest.raises(UsageError, match="no such folder"):
        bundled(project, tmp_path / "none" / "small.tar")


def test_two_models_share_their_blobs(project: Project, tmp_path: Path) -> None:
    from pipeline.flow.locking import make_lock
    from pipeline.flow.session import Session

    text = (project.specs / "small.yaml").read_text()
    (project.specs / "other.yaml").write_text(text.replace("name: small", "name: other"))
    make_lock(Session(project), "other")
    one = bundled(project, tmp_path / "one.tar")
    two = write_bundle([packed(project), packed(project, "other")], tmp_path / "two.tar")
    assert two.size < one.size + 100_000
    same = write_bundle([packed(project, "other"), packed(project)], tmp_path / "same.tar")
    assert same.digest == two.digest
    assert [model.name for model in read_models(open_bundle(tmp_path / "two.tar"))] == ["other", "small"]


def test_a_suite_that_changed_meanwhile_is_not_bundled(project: Project) -> None:
    from pipeline.airgap.contents import gather
    from pipeline.core.errors import LockOutOfDate

    model = packed(project)
    edit(project.suites / "greeting" / "suite.yaml", "Hello!", "Hi!")
    with pytest.raises(LockOutOfDate, match="evals/greeting"):
        gather(project, Store(project.store), model.lock)


def test_files_of_more_than_eight_gibibytes(tmp_path: Path) -> None:
    """Their sizes don't fit into the digits of a tar header. The file is sparse: nothing of it is on the disk."""
    from pipeline.airgap.bundle import _header

    size, name = (9 << 30) + 5, "blobs/sha256/" + "0" * 64
    with (tmp_path / "large.tar").open("wb") as file:
        file.write(_header(name, size))
        file.truncate(512 + (9 << 30) + 512 + 1024)
    bundle = open_bundle(tmp_path / "large.tar")
    assert bundle.names == {name: size}
    listed = subprocess.run(["tar", "-tvf", tmp_path / "large.tar"], check=True, capture_output=True, text=True).stdout
    assert f" {size} " in listed


def test_a_spec_that_lies_elsewhere_goes_along(project: Project, tmp_path: Path) -> None:
    from pipeline.flow.airgap import pack
    from pipeline.flow.session import Session

    packed(project)
    (tmp_path / "small.yaml").write_text("# mine\n" + (project.specs / "small.yaml").read_text())
    (model,) = pack(Session(project), [str(tmp_path / "small.yaml")])
    (spec,) = [layer for layer in model.layers if layer.role == "spec"]
    assert spec.title == "specs/small.yaml" and b"".join(spec.blob.pieces()).startswith(b"# mine")


def test_sizes() -> None:
    assert [parse_size(text) for text in ("3900M", "4G", "4GiB", "2097152", "1024k")] == [
        *(3900 << 20, 4 << 30, 4 << 30, 2 << 20, 1 << 20)
    ]
    for text in ("", "M", "-1M", "1.5G", "100", "4X"):
        with pytest.raises(UsageError, match="not a size"):
            parse_size(text)


def test_the_script_checks_the_tar_its_chunks_and_the_folder(project: Project, tmp_path: Path) -> None:
    bundled(project, tmp_path / "small.tar")
    made = bundled(project, tmp_path / "cut.tar", chunk=1 << 20)
    folder = tmp_path / "folder"
    folder.mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "small.tar", "-C", folder], check=True)
    for argument in (tmp_path / "small.tar", folder, made.paths[0], made.paths[1], made.paths[-1]):
        done = verify(argument, script=folder / "verify.py")
        assert (done.returncode, done.stderr) == (0, ""), done
        assert f"small  {read_lock(project, 'small').digest}" in done.stdout
        assert "1 model: all as it was made" in done.stdout
    assert verify(script=folder / "verify.py").returncode == 0
    repacked = tmp_path / "repacked.tar"
    subprocess.run(["tar", "--format=gnu", "-cf", repacked, "-C", folder, "."], check=True)
    assert verify(repacked, script=folder / "verify.py").returncode == 0
