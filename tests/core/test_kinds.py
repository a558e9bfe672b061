from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipeline.core.kinds import discover


def test_modules_are_found_sorted_and_private_ones_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "some_kinds"
    folder.mkdir()
    for name in ("__init__", "zebra", "ant", "_base"):
        (folder / f"{name}.py").write_text(f"NAME = {name!r}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = discover("some_kinds")
    assert [(name, module.NAME) for name, module in found.items()] == [("ant", "ant"), ("zebra", "zebra")]
    assert "some_kinds._base" not in sys.modules
    assert discover("some_kinds") is found
