"""bootstrap.py, as far as it goes without a build: what it refuses, and what it does when everything is there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROGRAM = """\
#!/bin/sh
echo "$0|$*|$PWD|$ASSAY_PROJECT|$VIRTUAL_ENV|$(command -v assay)"
exit 3
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what bootstrap.py reads, with a space in its path."""
    root = tmp_path / "a copy"
    root.mkdir()
    for name in ("bootstrap.py", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    shutil.copytree(ROOT / "requirements", root / "requirements")
    return root


def run(
    root: Path, *arguments: str, cwd: Path | None = None, path: str = "/usr/bin:/bin"
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "bootstrap.py"), *arguments]
    environment = {"PATH": path, "HOME": str(root / "home")}
    return subprocess.run(command, cwd=cwd or root, env=environment, capture_output=True, text=True)


@pytest.fixture
def ready(copy: Path) -> Path:
    """A copy whose .venv is what the lock files say, and whose commands only tell how they were called."""
    folder = copy / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(sys.executable)
    for name in ("assay", "nox"):
        (folder / name).write_text(PROGRAM)
        (folder / name).chmod(0o755)
    ask = "import sys, bootstrap; print(bootstrap.digest())"
    digest = subprocess.run([sys.executable, "-c", ask], cwd=copy, capture_output=True, text=True, check=True).stdout
    state = {"kind": "dev", "root": str(copy), "cmake_args": "", "digest": digest.strip()}
    (copy / ".venv" / "assay.json").write_text(json.dumps(state))
    return copy


def test_without_a_compiler_it_says_what_to_install(copy: Path) -> None:
    done = run(copy, "assay", "run", "tiny-chat", path="/nonexistent")
    assert done.returncode == 1
    assert "there is no C++ compiler" in done.stderr and "apt install g++" in done.stderr
    assert not (copy / ".venv").exists()


def test_without_a_command_it_says_how_to_call_it(copy: Path) -> None:
    assert run(copy).returncode == 2
    done = run(copy, "--help")
    assert done.returncode == 0 and "python3 bootstrap.py assay run tiny-chat" in done.stdout


def test_when_all_is_there_it_becomes_the_command(ready: Path, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    done = run(ready, "assay", "run", "a b", "--json", cwd=outside)
    program, arguments, place, project, venv, found = done.stdout.strip().split("|")
    assert done.returncode == 3 and done.stderr == ""
    assert program == found == f"{ready}/.venv/bin/assay" and venv == f"{ready}/.venv"
    assert arguments == "run a b --json"
    assert (place, project) == (str(outside), str(ready)), "outside of any project, its own is meant"


def test_inside_a_project_that_one_is_meant(ready: Path, tmp_path: Path) -> None:
    (tmp_path / "mine" / "specs").mkdir(parents=True)
    assert run(ready, "assay", "run", cwd=tmp_path / "mine" / "specs").stdout.split("|")[3] == ""


def test_init_makes_a_project_where_one_stands(ready: Path, tmp_path: Path) -> None:
    assert run(ready, "assay", "init", "x", "--source", "file:x.gguf", cwd=tmp_path).stdout.split("|")[3] == ""


def test_nox_runs_at_the_root(ready: Path, tmp_path: Path) -> None:
    assert run(ready, "nox", "-l", cwd=tmp_path).stdout.split("|")[2] == str(ready)


def test_an_unknown_command_is_an_error(ready: Path) -> None:
    done = run(ready, "nix")
    assert done.returncode == 1 and "there is no nix" in done.stderr


def test_a_changed_lock_file_is_seen(ready: Path) -> None:
    """The digest covers the lock files; without a compiler, the attempt to follow the change ends at once."""
    with (ready / "requirements" / "run.txt").open("a") as file:
        file.write("# changed\n")
    assert "there is no C++ compiler" in run(ready, "assay", path="/nonexistent").stderr
