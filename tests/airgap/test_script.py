from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.airgap.script import script
from pipeline.core.project import Project
from tests.airgap.bundles import bundled


def test_it_is_one_file_for_python_3_8_and_its_standard_library() -> None:
    source = script().decode()
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {
        alias.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    } | {(node.module or "").partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)
    assert "pipeline" not in imported
    # Younger than Python 3.8: methods and functions, which the grammar doesn't tell.
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not attributes & {"removeprefix", "removesuffix", "is_relative_to", "with_stem", "file_digest", "readlink"}
    assert "strict" not in {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}


def test_it_says_how_it_is_used() -> None:
    tree = ast.parse(script())
    assert "python3 verify.py [FILE.tar | FILE.tar.001 | FOLDER]" in (ast.get_docstring(tree) or "")


def pythons() -> list[str]:
    """Ours, and every other one that is here and starts (a shim may have nothing behind it)."""
    others = filter(None, (shutil.which(f"python3.{minor}") for minor in range(8, 20)))
    return [
        sys.executable,
        *(one for one in others if not subprocess.run([one, "-c", ""], capture_output=True).returncode),
    ]


@pytest.mark.parametrize("program", pythons())
def test_a_python_of_any_age_runs_it(project: Project, tmp_path: Path, program: str) -> None:
    bundled(project, tmp_path / "small.tar", chunk=1 << 20)
    (tmp_path / "verify.py").write_bytes(script())
    command = [program, "-I", "-S", "-W", "error", str(tmp_path / "verify.py"), str(tmp_path / "small.tar.001")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "all as it was made" in done.stdout
    (tmp_path / "small.tar.002").write_bytes(b"")
    assert subprocess.run(command, capture_output=True, text=True).returncode == 1
