"""What is passed to an engine, and what is not: a path that is not listed here does not exist.

Left out of what llama-server offers: ``/slots``, ``/lora-adapters``, ``POST /props`` and ``POST /models``, which change a
pinned server; ``/tools`` and ``/cors-proxy``, which reach out of it; its stored streams, which other callers could read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from pipeline.deploy.door.answers import Refusal


class Way(Enum):
    """What becomes of a request: it takes a slot of the engine, asks the engine without one, or is answered here."""

    GENERATE = "generate"
    ASK = "ask"
    MODELS = "models"
    MODEL = "model"
    METRICS = "metrics"
    LIVE = "live"
    READY = "ready"


OPEN = frozenset({Way.LIVE, Way.READY})
"""Answered without a key and for any Host, for probes: they say nothing but that the door is there."""


@dataclass(frozen=True)
class Route:
    """Where a request goes; ``model`` is the name in the path."""

    way: Way
    path: str
    model: str = ""


_GENERATE = """
    /v1/chat/completions /chat/completions /v1/completions /completions /completion /infill /v1/responses /responses
    /v1/messages /v1/embeddings /embeddings /embedding /v1/rerank /v1/reranking /rerank /reranking
"""
_ASK = """
    /tokenize /detokenize /apply-template /v1/messages/count_tokens
    /v1/chat/completions/input_tokens /chat/completions/input_tokens /v1/responses/input_tokens /responses/input_tokens
"""
_HERE = {
    "/props": Way.ASK,
    "/v1/models": Way.MODELS,
    "/models": Way.MODELS,
    "/metrics": Way.METRICS,
    "/livez": Way.LIVE,
    "/readyz": Way.READY,
    "/health": Way.READY,
    "/v1/health": Way.READY,
}
POSTS = {**dict.fromkeys(_GENERATE.split(), Way.GENERATE), **dict.fromkeys(_ASK.split(), Way.ASK)}
_PROFILES = {
    "embedding": frozenset({"/v1/embeddings", "/embeddings", "/embedding"}),
    "rerank": frozenset({"/v1/rerank", "/v1/reranking", "/rerank", "/reranking"}),
}
_BELOW = ("/v1/models/", "/models/")


def route(method: str, target: str) -> Route:
    """Return where a request goes; the query is dropped. Raises Refusal: 400, 404 or 405."""
    path = target.partition("?")[0]
    if not path.startswith("/"):
        raise Refusal(400, "bad_target", "the target of a request is a path, such as /v1/models")
    if path in POSTS:
        _only(method, "POST", path)
        return Route(POSTS[path], path)
    if path in _HERE:
        _only(method, "GET, HEAD", path)
        return Route(_HERE[path], path)
    for prefix in _BELOW:
        if path.startswith(prefix) and len(path) > len(prefix):
            _only(method, "GET, HEAD", path)
            return Route(Way.MODEL, prefix, unquote(path.removeprefix(prefix), errors="replace"))
    raise Refusal(404, "no_such_path", f"no such path here; there are {', '.join(sorted({*POSTS, *_HERE}))}")


def check_profile(path: str, name: str, profile: str) -> None:
    """Raise Refusal, 501, for a path that is not what a model is served for: llama-server makes vectors or grades only where it was
    started for these, and writes nothing then.
    """
    if not profile or POSTS.get(path) is not Way.GENERATE:
        return
    wanted = next((one for one, paths in _PROFILES.items() if path in paths), "")
    if wanted and wanted != profile:
        said = f"{path} wants a model whose spec says profile: {wanted}; that of {name} says {profile}"
        raise Refusal(501, "other_profile", said)
    if profile in _PROFILES and wanted != profile:
        said = f"{name} is of profile {profile}: it answers /v1/{profile.replace('embedding', 'embeddings')}, and writes nothing"
        raise Refusal(501, "other_profile", said)


def _only(method: str, allowed: str, path: str) -> None:
    if method not in allowed.split(", "):
        raise Refusal(405, "method_not_allowed", f"{path} takes {allowed}", [("Allow", allowed)])
