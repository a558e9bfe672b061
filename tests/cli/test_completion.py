from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.main import COMMANDS, run
from pipeline.core.project import Project
from tests.projects import assay


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder with a program called ``assay``."""
    (tmp_path / "bin").mkdir()
    path = tmp_path / "bin" / "assay"
    root = Path(__file__).parents[2]
    path.write_text(f'#!/bin/sh\nPYTHONPATH={root} exec {sys.executable} -m pipeline.cli.main "$@"\n')
    path.chmod(0o755)
    return path.parent


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["assay", ""], set(COMMANDS)),
        (["assay", "ver"], {"verify"}),
        (["assay", "run", ""], {"small", "smaller"}),
        (["assay", "serve", "smaller"], {"smaller"}),
        (["assay", "lint", "x"], set()),
        (["assay", "verify", "--d"], {"--deep"}),
        (["assay", "schema", ""], {"spec", "lock", "policy"}),
    ],
    ids=" ".join,
)
def test_bash_completes(
    cold_project: Project, tmp_path: Path, program: Path, words: list[str], wanted: set[str]
) -> None:
    project = Project(shutil.copytree(cold_project.root, tmp_path / "project"))
    shutil.copy(project.specs / "small.yaml", project.specs / "smaller.yaml")
    script = """
        eval "$(assay completion bash)"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _assay_completion assay
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "-c", script, "bash", *words],
        cwd=project.specs,
        env={"PATH": f"{program}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert set(done.stdout.split()) == wanted


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script_that_asks_us(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_ASSAY_COMPLETE={shell}_complete" in script
    if path := shutil.which(shell):
        assert subprocess.run([path, "-n"], input=script, text=True, capture_output=True).returncode == 0


def test_outside_of_a_project_there_are_no_names(tmp_path: Path) -> None:
    words = {"_ASSAY_COMPLETE": "bash_complete", "COMP_WORDS": "assay run ", "COMP_CWORD": "2"}
    code, out, _ = assay(project=Project(tmp_path), **words)
    assert (code, out.strip()) == (0, "")
