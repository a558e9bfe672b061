from __future__ import annotations

from pathlib import Path

from pipeline.connect.open_webui import render
from tests.connect.shells import run
from tests.connect.targets import SECRET, target


def test_it_starts_a_container_with_the_key_in_the_environment(tmp_path: Path) -> None:
    found = target(tmp_path)
    words, variables = run(render(found), "docker", tmp_path)
    assert words[0] == "run"
    assert f"OPENAI_API_BASE_URL={found.v1}" in words
    assert "DEFAULT_MODELS=tiny-chat" in words
    assert variables["OPENAI_API_KEY"] == SECRET
    assert not any(SECRET in word for word in words)
