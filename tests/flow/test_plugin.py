"""A check and an eval of another package, from its installation to the record, in an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.project import Project
from tests.plugin import install
from tests.projects import edit

ROOT = Path(__file__).parents[2]


class Environment:
    """A virtual environment that sees what ours has, and more."""

    def __init__(self, folder: Path, project: Project) -> None:
        venv.create(folder, symlinks=True)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.site = folder / "lib" / version / "site-packages"
        self._python, self._project = folder / "bin" / "python", project
        (self.site / "ours.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")

    def assay(self, *arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [self._python, "-m", "pipeline.cli.main", *arguments],
            cwd=self._project.root,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    def answer(self, *arguments: str) -> dict[str, Any]:
        code, out, err = self.assay(*arguments, "--json")
        assert code == 0, err
        content: dict[str, Any] = json.loads(out)
        return content


@pytest.fixture
def environment(tmp_path: Path, project: Project) -> Environment:
    made = Environment(tmp_path / "environment", project)
    folder = project.suites / "spelling"
    folder.mkdir()
    (folder / "suite.yaml").write_text(
        'kind: letters\nversion: "1"\nlicense: CC0-1.0\nsource: this test\ndescription: Letters.\nletters: abc\n'
    )
    edit(project.specs / "small.yaml", "evals: [few]", "evals: [spelling]")
    edit(project.specs / "small.yaml", "metrics: {few.acc: {min: 0}}", "metrics: {spelling.mean: {max: 0}}")
    edit(project.suites / "greeting" / "suite.yaml", "{not_empty: true}", "{not_empty: true, polite: true}")
    return made


def test_from_its_package_to_the_record(environment: Environment, project: Project) -> None:
    code, _, err = environment.assay("lock", "small")
    assert code == 2
    assert "kind" in err or "polite" in err  # nobody offers them yet

    install(environment.site)
    environment.answer("lock", "small")
    lock = json.loads((project.lockfiles / "small.lock.json").read_text())
    pinned = lock["suites"]["spelling"]["plugins"]["letters"]
    assert pinned.startswith("acme-checks 1.2.0, code ")
    assert lock["suites"]["greeting"]["plugins"] == {"polite": pinned}

    (run,) = environment.answer("eval", "small")["runs"]
    assert [item["id"] for item in run["items"]] == ["a", "b", "c"]
    (checked,) = environment.answer("check", "small")["runs"]
    assert [outcome["verdict"] for outcome in checked["outcomes"]] == ["pass"]
    assert environment.answer("eval", "small")["runs"][0]["reused"]

    install(environment.site, "1.3.0")
    code, _, err = environment.assay("eval", "small")
    assert code == 3
    assert f"suites.spelling.plugins.letters: {pinned} -> acme-checks 1.3.0" in err
    assert f"-> install {pinned}, or run assay lock small" in err
    environment.answer("lock", "small")
    (again,) = environment.answer("eval", "small")["runs"]
    assert not again["reused"]
    assert again["lock_digest"] != run["lock_digest"]
