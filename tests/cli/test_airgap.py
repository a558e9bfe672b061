"""From one project across the gap into another, by the command line alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.project import Project
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from tests.airgap.bundles import verify
from tests.cli.conftest import Ask
from tests.projects import finish, flip, start, until


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A machine that has nothing but an empty project."""
    (tmp_path / "elsewhere" / "specs").mkdir(parents=True)
    return tmp_path / "elsewhere"


def test_a_model_crosses_the_gap_and_runs(
    ask: Ask, assayed: Project, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    monkeypatch.chdir(assayed.root)
    code, out, _ = ask("bundle", "small", "-o", stick / "small.tar", "--chunk-size", "1M", "--json")
    made = json.loads(out)
    assert (code, made["schema"], made["files"][-1]) == (0, "assay.bundle/1", str(stick / "small.tar.sums"))
    shutil.rmtree(assayed.root)

    monkeypatch.chdir(elsewhere)
    first = stick / "small.tar.001"
    subprocess.run(f"cat {stick}/small.tar.0* | tar -xf - -C {stick} verify.py", shell=True, check=True)  # noqa: S602
    done = verify(first, script=stick / "verify.py")
    assert done.returncode == 0 and made["models"][0]["lock_digest"] in done.stdout
    code, out, _ = ask("import", first, "--dry-run", "--json")
    assert (code, json.loads(out)["new_blobs"], list(Path("specs").iterdir())) == (0, 1, [])
    code, out, _ = ask("import", first)
    assert code == 0 and "brought 1 new blobs" in out and "lockfiles/small.lock.json" in out
    assert ask("lock", "--check")[0] == 0
    assert ask("verify", "--deep")[0] == 0
    assert ask("fetch", "--offline")[0] == 0
    code, out, err = ask("run", "small", "--offline")
    assert code == 0, err


@pytest.mark.parametrize("how", ["a chunk is missing", "a chunk is bad"])
def test_a_bad_medium_is_exit_5_and_names_the_file(
    ask: Ask, project: Project, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.chdir(project.root)
    assert ask("fetch")[0] == 0
    assert ask("bundle", "-o", tmp_path / "all.tar", "--chunk-size", "1M")[0] == 0
    second = tmp_path / "all.tar.002"
    second.unlink() if how == "a chunk is missing" else flip(second, 1000)
    monkeypatch.chdir(elsewhere)
    code, out, err = ask("import", tmp_path / "all.tar.001")
    assert (code, out) == (5, "") and "all.tar.002" in err and "nothing was taken in" in err
    code, out, _ = ask("import", tmp_path / "all.tar.001", "--json")
    assert json.loads(out)["exit_code"] == code == 5
    assert not list(Path("specs").iterdir()) and not list(Path(".assay").glob("store/blobs/**/*"))


def test_a_mirror_is_a_bundle_too(
    ask: Ask, project: Project, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    assert ask("fetch")[0] == 0
    code, out, _ = ask("mirror", tmp_path / "mirror", "--json")
    assert (code, json.loads(out)["models"], json.loads(out)["new_blobs"]) == (0, ["small"], 7)
    assert "0 new blobs" in ask("mirror", tmp_path / "mirror", "small")[1]
    assert ask("export", "small", "--format", "oci", "-o", tmp_path / "layout")[0] == 0
    assert (tmp_path / "layout" / "index.json").read_bytes() == (tmp_path / "mirror" / "index.json").read_bytes()
    monkeypatch.chdir(elsewhere)
    assert ask("import", tmp_path / "mirror")[0] == 0
    assert ask("verify", "--deep")[0] == 0


@pytest.mark.parametrize("format", ["sha256sums", "modelfile", "cyclonedx-json"])
def test_exports_are_text_or_a_file(
    ask: Ask, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.chdir(project.root)
    code, out, _ = ask("export", "small", "--format", format)
    assert code == 0
    assert ask("export", "small", "--format", format, "-o", tmp_path / "out") == (0, f"{tmp_path / 'out'}\n", "")
    assert (tmp_path / "out").read_text() == out
    content: Any = json.loads(ask("export", "small", "--format", format, "--json")[1])
    assert (content["schema"], content["text"]) == ("assay.export/1", out)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["bundle"], 2, "--output"),
        (["bundle", "smal", "-o", "x.tar"], 2, "did you mean small?"),
        (["bundle", "-o", "x.tar", "--chunk-size", "1"], 2, "not a size of chunks"),
        (["bundle", "-o", "none/x.tar"], 2, "no such folder: none"),
        (["bundle", "-o", "x.tar"], 5, "is not in the store"),
        (["import", "none.tar"], 2, "no such file or folder: none.tar"),
        (["import", "models/small.gguf"], 5, "damaged, or no tar"),
        (["import", "evals"], 5, "is no folder"),
        (["mirror", "https://example.org/models"], 2, "can't be mirrored to https://"),
        (["mirror", "s3://models"], 2, "oci://REGISTRY/REPOSITORY"),
        (["mirror", "OCI://example.org/m"], 2, "can't be mirrored to OCI://"),
        (["mirror", "evals"], 2, "evals is no mirror"),
        (["mirror", "mirror"], 5, "is not in the store"),
        (["mirror", "oci://localhost:1/m:tag"], 2, "names a tag"),
        (["mirror", "oci://localhost:1/m"], 4, "localhost:1"),
        (["mirror", "oci://example.org/m", "--format", "x"], 2, "modelpack"),
        (["export", "small", "--format", "spdx"], 2, "one of: cyclonedx-json"),
        (["export", "small", "--format", "oci"], 2, "name it with -o"),
        (["export", "small", "--format", "oci", "-o", "evals"], 2, "is not empty"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_wrong_is_said(
    ask: Ask, project: Project, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(project.root)
    before = sorted(project.root.glob("*"))
    got, out, err = ask(*arguments)
    assert got == code, (out, err)
    assert said in err
    assert sorted(path for path in project.root.glob("*") if path.name not in ("mirror", ".assay")) == before


def test_a_stale_lock_is_not_bundled(ask: Ask, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    spec = project.specs / "small.yaml"
    spec.write_text(spec.read_text().replace("slots: 2", "slots: 1"))
    code, _, err = ask("bundle", "-o", "x.tar")
    assert code == 3 and "the lock of small is out of date" in err


def test_interrupted_it_leaves_nothing(project: Project, tmp_path: Path) -> None:
    """A real process, interrupted while it reads what never comes."""
    session = Session(project)
    fetch_all(session, [session.current("small")])
    blob = session.store.path(session.current("small").weights.digest)
    blob.unlink()
    os.mkfifo(blob)  # reading it waits for ever
    process = start("bundle", "-o", str(tmp_path / "x.tar"), project=project)
    until(lambda: list(tmp_path.glob(".x.tar.*")))
    process.terminate()
    code, _, err = finish(process)
    assert code == 130 and "interrupted" in err
    assert not list(tmp_path.glob("*x.tar*"))


@pytest.mark.parametrize("command", ["bundle", "import"])
def test_a_medium_that_takes_no_more_is_said_and_left_clean(
    ask: Ask, project: Project, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The system lets no file grow over 1 MiB, as a full disk would not."""
    monkeypatch.chdir(project.root)
    assert ask("fetch")[0] == 0
    assert ask("bundle", "-o", tmp_path / "all.tar")[0] == 0
    target = tmp_path / "target"
    target.mkdir()
    arguments = f"bundle -o {target}/x.tar" if command == "bundle" else f"import {tmp_path}/all.tar"
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 1024; exec {sys.executable} -m pipeline.cli.main {arguments}"],
        cwd=project.root if command == "bundle" else elsewhere,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "File too large" in done.stderr, done
    assert not list(target.iterdir()) and not list(elsewhere.glob("specs/*"))
    assert [path for path in elsewhere.rglob("*") if path.is_file() and path.parent.name != "locks"] == []
