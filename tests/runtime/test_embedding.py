from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import UsageError
from pipeline.runtime.binding import Scorer
from pipeline.runtime.build import find_engine
from pipeline.runtime.params import Listen
from pipeline.runtime.server import started

WEIGHTS = Path(__file__).parents[2] / "models" / "tiny-chat" / "tiny-chat-f16.gguf"
TEXTS = ["What is the capital of France?", "What is the capital of Italy?", "An owl says hoot."]


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer(WEIGHTS, threads=1) as opened:
        yield opened


def test_vectors_have_length_one_and_stand_alone(scorer: Scorer) -> None:
    tokens = [scorer.tokenize(text) for text in TEXTS]
    together = list(scorer.embed(tokens, "mean"))
    assert [float(np.linalg.norm(vector)) for vector in together] == pytest.approx([1.0] * 3, abs=1e-5)
    [alone] = scorer.embed(tokens[2:], "mean")
    assert together[2] @ alone == pytest.approx(1, abs=1e-5)
    assert together[0] @ together[1] > together[0] @ together[2]


def test_agrees_with_llama_server(scorer: Scorer) -> None:
    """The vectors themselves, from the same build's server."""
    engine = find_engine()

    def argv(listen: Listen, key: Path) -> tuple[str, ...]:
        where = ("--host", listen.host, "--api-key-file", str(key))
        return (*where, "-m", str(WEIGHTS), "--embeddings", "--pooling", "mean", "-t", "1", "-fa", "off", "-np", "1")

    with started((str(engine.server),), engine.environment, argv, 60.0) as server:
        said = server.client.post("/v1/embeddings", json={"input": TEXTS}).raise_for_status().json()
    vectors = scorer.embed([scorer.tokenize(text) for text in TEXTS], "mean")
    for ours, theirs in zip(vectors, said["data"], strict=True):
        assert float(ours @ np.array(theirs["embedding"])) == pytest.approx(1, abs=1e-3)


def test_a_model_that_is_made_for_something_else_is_refused(scorer: Scorer) -> None:
    with pytest.raises(UsageError, match="it is no embedding model") as raised:
        list(scorer.embed([(1, 2)]))
    assert "pooling: mean" in raised.value.hint
