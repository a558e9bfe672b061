"""The plan of memory on gemma-3-270m: a large vocabulary, layers with a window, weights that llama.cpp repacks."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.runtime.build import find_engine
from tests import factories
from tests.filled import filled
from tests.real.test_gemma import WEIGHTS

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    "engine",
    [
        {"context": 1024, "slots": 1},
        {"context": 1024, "slots": 2, "flash_attention": "on", "cache_type_k": "q8_0", "cache_type_v": "q8_0"},
        {"context": 1024, "slots": 1, "load": "mmap", "micro_batch": 128},
    ],
    ids=["one slot", "flash", "mapped"],
)
def test_the_plan_is_what_the_engine_comes_to(engine: dict[str, Any]) -> None:
    memory, peak = filled(find_engine(), WEIGHTS, factories.lock(engine=engine))
    assert memory.total == pytest.approx(peak, rel=0.1), (memory, peak)
