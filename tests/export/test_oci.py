from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.airgap.carried import open_bundle
from pipeline.airgap.checking import check
from pipeline.core.errors import UsageError
from pipeline.core.progress import SILENT
from pipeline.core.project import Project
from pipeline.export.oci import write
from tests.airgap.bundles import packed


def test_the_folder_is_a_bundle(project: Project, tmp_path: Path) -> None:
    write(packed(project), tmp_path / "layout", SILENT)
    models, problems = check(open_bundle(tmp_path / "layout"))
    assert ([model.name for model in models], problems) == (["small"], [])


def test_what_is_there_stays(project: Project, tmp_path: Path) -> None:
    (tmp_path / "layout").mkdir()
    (tmp_path / "layout" / "mine").write_text("")
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "layout", tmp_path / "file"):
        with pytest.raises(UsageError, match="is not empty"):
            write(packed(project), place, SILENT)
    assert [path.name for path in (tmp_path / "layout").iterdir()] == ["mine"]
