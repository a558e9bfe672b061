from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline.core.project import Project
from pipeline.export.sha256sums import render
from pipeline.store.layout import Store
from pipeline.store.views import view
from tests.export.models import model_of, named, place
from tests.projects import flip


@pytest.mark.parametrize("name", ["small.gguf", "a name (1).gguf", "back\\slash.gguf", "new\nline.gguf", "-x.gguf"])
def test_coreutils_check_them(project: Project, tmp_path: Path, name: str) -> None:
    model = named(model_of(project, system="Be kind."), name)
    folder = tmp_path / "files"
    folder.mkdir()
    place(model, folder)
    (folder / "SHA256SUMS").write_text(render(model))
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(command, cwd=folder, capture_output=True).returncode == 0
    flip(folder / name, 1000)
    assert subprocess.run(command, cwd=folder, capture_output=True).returncode == 1


def test_they_fit_the_view_of_the_store(project: Project) -> None:
    model = model_of(project)
    folder = view(Store(project.store), model.lock.files)
    command = ["sha256sum", "--check", "--strict"]
    done = subprocess.run(command, cwd=folder, input=render(model), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "small.gguf: OK\n")
