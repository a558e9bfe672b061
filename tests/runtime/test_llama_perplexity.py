"""How far other settings move the probabilities of the embedded model."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.bench.prompts import text
from pipeline.core.errors import EngineError
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.llama_perplexity import Divergence, divergence
from pipeline.spec.model import Engine

TEXT = text(0, 0, 1600)


def test_the_same_settings_say_the_same_and_a_coarse_cache_does_not(engine_build: EngineBuild, tiny_chat: Path) -> None:
    same = divergence(engine_build, tiny_chat, Engine(), TEXT, threads=1)
    assert abs(same.kl) < 1e-4 and same.same_top == 1.0 and same.small
    coarse = Engine(cache_type_k="q4_0", cache_type_v="q4_0", flash_attention="on")
    far = divergence(engine_build, tiny_chat, coarse, TEXT, threads=1)
    assert far.kl > 10 * abs(same.kl) and far.same_top < 1.0


def test_the_upper_end_of_the_interval_decides() -> None:
    assert Divergence(0.005, 0.001, 0.99).small
    assert not Divergence(0.009, 0.001, 0.99).small
    assert "above 0.01" in str(Divergence(0.02, 0.001, 0.99))


def test_too_little_text_is_an_error_in_words(engine_build: EngineBuild, tiny_chat: Path) -> None:
    with pytest.raises(EngineError, match="llama-perplexity"):
        divergence(engine_build, tiny_chat, Engine(), "short", threads=1)
