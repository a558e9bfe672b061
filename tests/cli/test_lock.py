"""What ``assay lock`` prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli.main import run
from pipeline.core.project import Project
from pipeline.lock.load import lock_path
from tests import zoo
from tests.hubs.huggingface import hub
from tests.projects import edit


def test_a_damaged_lock_can_be_restored(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.root)
    path = lock_path(project, "small")
    path.write_text("{")
    assert run(["lock", "--check"]) == 3
    assert capsys.readouterr().out.splitlines()[-1] == "  -> restore it, or run assay lock small"
    path.unlink()
    assert run(["lock", "--check"]) == 3
    assert capsys.readouterr().out.splitlines()[-1] == "  -> run assay lock small"


def test_an_upgrade_shows_in_words_or_as_a_field_all_that_moved(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(project.root)
    with hub() as upstream:
        for name, value in upstream.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        repo = upstream.add_repo("org/tiny", {"tiny-Q8_0.gguf": zoo.SOUND}, license="mit")
        edit(project.specs / "small.yaml", "file:../models/small.gguf", "hf://org/tiny:Q8_0")
        assert run(["lock"]) == 0
        zoo.template(lambda text: text.replace("assistant", "model"))(tmp_path / "new.gguf")
        repo.commit({"tiny-Q8_0.gguf": tmp_path / "new.gguf", "tiny-F16.gguf": zoo.SOUND})
        repo.card, repo.gated = {"license": "gemma"}, "auto"
        repo.readers.add("hf_reader")
        upstream.tokens.add("hf_reader")
        monkeypatch.setenv("HF_TOKEN", "hf_reader")
        capsys.readouterr()
        assert run(["lock", "--upgrade", "--dry-run"]) == 0
        out = capsys.readouterr().out
        assert "  chat template: changed" in out and "  files[0].sha256" not in out
        assert "  source.license: mit -> gemma" in out and "  source.gated: nothing -> True" in out
        assert run(["lock", "--upgrade", "--dry-run", "--json"]) == 0
        (lock,) = json.loads(capsys.readouterr().out)["locks"]
        assert any(change["path"] == "files[0].sha256" for change in lock["changes"])


def test_prompts_that_changed_are_told_in_one_line(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.root)
    (project.specs / "own.jinja").write_text(zoo.value(zoo.TEMPLATE).replace("# Tools", "# My tools"))
    with (project.specs / "small.yaml").open("a") as file:
        file.write("chat: {template: own.jinja}\n")
    assert run(["lock", "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)["locks"]
    moved = [change["path"] for change in answer["changes"] if change["path"].startswith("prompts.digests.")]
    assert "prompts.digests.tools" in moved and "prompts.digests.user" not in moved
    edit(project.specs / "own.jinja", "# My tools", "# Your tools")
    assert run(["lock"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "prompts" in line]
    assert line.startswith(f"  prompts: {len(moved)} changed (bare-tool, ") and line.endswith(" more)")
