from __future__ import annotations

from pathlib import Path

from pipeline.connect.langchain import render
from tests.connect.programs import calls
from tests.connect.targets import target


def test_it_is_a_program(tmp_path: Path) -> None:
    found = target(tmp_path)
    said = calls(render(found), "ChatOpenAI")
    assert (said["base_url"], said["model"], said["max_tokens"]) == (found.v1, found.pinned, 128)
    assert said["api_key"] == "os.environ['ASSAY_API_KEY']"
