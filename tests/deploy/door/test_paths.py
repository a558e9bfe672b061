from __future__ import annotations

import pytest

from pipeline.deploy.door.answers import Refusal
from pipeline.deploy.door.paths import check_profile


@pytest.mark.parametrize(
    ("profile", "passed", "refused"),
    [
        ("chat", ("/v1/chat/completions", "/v1/completions", "/tokenize"), ("/v1/embeddings", "/rerank")),
        ("completion", ("/v1/completions", "/infill"), ("/embedding", "/v1/rerank")),
        ("embedding", ("/v1/embeddings", "/embeddings", "/tokenize", "/props"), ("/v1/chat/completions", "/v1/rerank")),
        ("rerank", ("/v1/rerank", "/reranking"), ("/v1/embeddings", "/v1/messages")),
        ("", ("/v1/embeddings", "/v1/chat/completions"), ()),
    ],
)
def test_a_model_answers_what_it_is_served_for(profile: str, passed: tuple[str, ...], refused: tuple[str, ...]) -> None:
    for path in passed:
        check_profile(path, "m", profile)
    for path in refused:
        with pytest.raises(Refusal) as raised:
            check_profile(path, "m", profile)
        assert raised.value.answer.status == 501


def test_a_refusal_says_what_to_do() -> None:
    with pytest.raises(
        Refusal, match="/v1/embeddings wants a model whose spec says profile: embedding; that of m says chat"
    ):
        check_profile("/v1/embeddings", "m", "chat")
    with pytest.raises(Refusal, match="m is of profile embedding: it answers /v1/embeddings, and writes nothing"):
        check_profile("/v1/chat/completions", "m", "embedding")
