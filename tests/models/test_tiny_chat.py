"""The embedded model: its files, its card, and that it generalises as the card says."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pipeline.core.digest import Digest
from pipeline.core.proc import run
from pipeline.gguf.facts import facts_of
from pipeline.gguf.header import read_header
from pipeline.runtime.build import EngineBuild

FOLDER = Path(__file__).parents[2] / "models" / "tiny-chat"
F16, Q8_0 = FOLDER / "tiny-chat-f16.gguf", FOLDER / "tiny-chat-q8_0.gguf"


def test_sizes_and_metadata() -> None:
    assert F16.stat().st_size <= 8_000_000
    assert Q8_0.stat().st_size <= 4_000_000
    header = read_header(Q8_0)
    facts = facts_of(header)
    assert (facts.name, facts.license, facts.architecture, facts.quantization) == (
        "tiny-chat",
        "apache-2.0",
        "llama",
        "Q8_0",
    )
    for key in ("author", "organization", "description", "size_label", "source.url", "version", "languages", "tags"):
        assert f"general.{key}" in header.metadata, key
    assert facts.chat_template == (FOLDER / "chat_template.jinja").read_text()


def quantize(build: EngineBuild, target: Path, kind: str) -> str:
    done = run([build.tool("llama-quantize"), F16, target, kind], env=build.environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_default_is_the_f16_file_quantized(engine_build: EngineBuild, tmp_path: Path) -> None:
    quantize(engine_build, tmp_path / "again.gguf", "q8_0")
    assert Digest.of_file(tmp_path / "again.gguf") == Digest.of_file(Q8_0)


def test_k_quants_fit_its_shapes(engine_build: EngineBuild, tmp_path: Path) -> None:
    log = quantize(engine_build, tmp_path / "small.gguf", "q4_k_m")
    assert "fallback" not in log
    assert facts_of(read_header(tmp_path / "small.gguf")).quantization == "Q4_K_M"


def test_the_card_names_the_committed_files() -> None:
    card = (FOLDER / "README.md").read_text()
    for path in (F16, Q8_0):
        assert f"`{path.name}`" in card
        assert Digest.of_file(path).hex in card, f"the card has another digest for {path.name}"
        assert re.search(rf"{path.stat().st_size:,}", card)


@pytest.fixture(scope="module")
def scorer() -> ModuleType:
    """models/tiny-chat/score.py as a module."""
    found = importlib.util.spec_from_file_location("tiny_chat_score", FOLDER / "score.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    before = list(sys.path)
    try:
        found.loader.exec_module(module)
    finally:
        sys.path[:] = before
    return module


def test_it_generalises_to_names_it_never_saw(scorer: ModuleType) -> None:
    """A sample of the card's measurement: 40 prompts of a kind, with room for chance below the card's figures."""
    table = scorer.score(Q8_0, 40)
    assert table["single call"]["right tools"] >= 0.9
    assert table["single call"]["exact"] >= 0.8
    assert table["no tool fits"]["right tools"] >= 0.85
    assert all(row["stopped"] == 1.0 for row in table.values())
