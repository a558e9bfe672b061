from __future__ import annotations

from pathlib import Path

from pipeline.connect.llamaindex import render
from tests.connect.programs import calls
from tests.connect.targets import target


def test_it_is_a_program(tmp_path: Path) -> None:
    found = target(tmp_path)
    said = calls(render(found), "OpenAILike")
    assert (said["api_base"], said["model"], said["context_window"]) == (found.v1, found.pinned, 4096)
    assert said["is_chat_model"] is True
