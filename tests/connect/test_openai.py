from __future__ import annotations

from pathlib import Path

from pipeline.connect.openai import render
from tests.connect.programs import calls
from tests.connect.targets import target


def test_it_is_a_program(tmp_path: Path) -> None:
    found = target(tmp_path)
    text = render(found)
    assert calls(text, "OpenAI") == {"base_url": found.v1, "api_key": "os.environ['ASSAY_API_KEY']"}
    assert calls(text, "client.chat.completions.create")["model"] == found.pinned
