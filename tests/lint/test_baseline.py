from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import UsageError
from pipeline.lint.baseline import read_baseline, write_baseline
from pipeline.lint.formats._base import fingerprint
from tests.lint.formats.linted import CLEAN, ERROR, INFO, SOME, WARNING


def test_what_was_written_is_known(tmp_path: Path) -> None:
    assert write_baseline(tmp_path / "b.json", [SOME, CLEAN]) == 3
    assert read_baseline(tmp_path / "b.json") == {fingerprint("small", one) for one in (ERROR, WARNING, INFO)}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "assay.lint-baseline/2", "findings": []}', "\udcff"])
def test_what_is_none_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "b.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match=r"b\.json is no baseline"):
        read_baseline(tmp_path / "b.json")
    with pytest.raises(UsageError, match="is no baseline"):
        read_baseline(tmp_path / "none.json")
