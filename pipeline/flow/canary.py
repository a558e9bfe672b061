"""One small real request to an engine, before anybody else's."""

from __future__ import annotations

from typing import Any

import httpx

from pipeline.core.errors import EngineError
from pipeline.flow.backend import Backend

_WITHIN = 300.0
_TOKENS = 2  # one by prefill, one by decode


def canary(backend: Backend) -> None:
    """Ask an engine for a few tokens, through its socket. Raises EngineError unless it answers 200 with at least
    one; of one that writes nothing, for a vector or a grade."""
    lock, body = backend.lock, dict[str, Any](max_tokens=_TOKENS)
    if lock.spec.profile == "chat":
        path, body = "/v1/chat/completions", body | {"messages": [{"role": "user", "content": "Hello!"}]}
    elif lock.spec.writes:
        path, body = "/v1/completions", body | {"prompt": "Hello"}
    elif lock.spec.profile == "embedding":
        path, body = "/v1/embeddings", {"input": "Hello"}
    else:
        path, body = "/v1/rerank", {"query": "Hello", "documents": ["Hello!"]}
    try:
        with backend.client(_WITHIN) as client:
            answer = client.post(path, json=body)
        said = f"{answer.status_code} {answer.text[:500]}"
        used = answer.json()["usage"] if answer.status_code == 200 else {}
        made = used.get("completion_tokens" if lock.spec.writes else "prompt_tokens", 0)
    except httpx.HTTPError as error:
        raise _silent(lock.name, f"{type(error).__name__} {error}".strip()) from None
    except (ValueError, KeyError, TypeError):
        made = 0
    if type(made) is not int or made < 1:
        raise _silent(lock.name, said)


def _silent(name: str, said: str) -> EngineError:
    return EngineError(f"{name} is up, and does not answer a first prompt: {said}", hint="see its log, or: assay check")
