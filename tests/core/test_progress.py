from __future__ import annotations

import pytest

from pipeline.core.progress import SILENT


def test_silence_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with SILENT.task("work", 10, "B") as task:
        task.advance()
        task.advance(9)
    SILENT.note("done")
    assert capfd.readouterr() == ("", "")
