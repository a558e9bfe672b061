from __future__ import annotations

from pathlib import Path

from pipeline.connect.claude_code import render
from tests.connect.shells import run
from tests.connect.targets import SECRET, target


def test_it_starts_with_address_key_and_model(tmp_path: Path) -> None:
    found = target(tmp_path, context=65_536)
    text = render(found)
    assert "too few" not in text
    _, variables = run(text, "claude", tmp_path)
    assert variables["ANTHROPIC_BASE_URL"] == found.url
    assert variables["ANTHROPIC_AUTH_TOKEN"] == SECRET
    assert variables["ANTHROPIC_MODEL"] == variables["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == found.pinned


def test_a_context_that_is_too_small_is_told(tmp_path: Path) -> None:
    assert "# 4096 tokens of context are too few" in render(target(tmp_path))
