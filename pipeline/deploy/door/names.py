"""Which model a request means, and what is told of the models there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.core.canonical import read_json
from pipeline.deploy.door.answers import Refusal
from pipeline.deploy.door.model import Upstream
from pipeline.deploy.door.rooms import Room

# JSON in memory takes up to fifty times its bytes. Texts of 16 MiB have fewer of these signs.
_MOST_PARTS, _MOST_OBJECTS = 1_000_000, 100_000


def content_of(body: bytes) -> dict[str, Any]:
    """Return a request's JSON. Raises Refusal (400) for what is no JSON object, and for what two readers could take for two
    things.
    """
    objects = body.count(b"{")
    if objects > _MOST_OBJECTS or objects + body.count(b"[") + body.count(b",") > _MOST_PARTS:
        raise Refusal(400, "beyond_bounds", "the request has too many parts")
    try:
        content = read_json(body)
    except ValueError as error:
        raise Refusal(400, "bad_json", f"the request is no JSON: {str(error)[:200]}") from None
    if not isinstance(content, dict):
        raise Refusal(400, "bad_json", "the request is no JSON object")
    return content


def model_in(content: dict[str, Any]) -> str:
    """Return the ``model`` of a request, "" where it names none. Raises Refusal (400) for what is no name."""
    model = content.get("model")
    if model is not None and not isinstance(model, str):
        raise Refusal(400, "bad_model", "model is the name of a model, a string")
    return model or ""


def choose(model: str, served: Iterable[Upstream]) -> Upstream:
    """Return what is meant by ``NAME``, ``NAME@sha256:…``, or nothing where there is one model. Raises Refusal (404)."""
    known = list(served)
    if not model and len(known) == 1:
        return known[0]
    for one in known:
        if model in one.names:
            return one
    raise unknown(model, known)


def unknown(model: str, known: Iterable[Upstream]) -> Refusal:
    """Return the refusal of a model that is not served; it names those that are."""
    names = ", ".join(name for one in known for name in one.names)
    said = f"{model[:200]!r} is not served here" if model else "several models are served, and the request names none"
    return Refusal(404, "model_not_found", f"{said}; there are: {names}")


def described(room: Room) -> dict[str, Any]:
    """Return what ``/v1/models`` says of a model, in OpenAI's and Anthropic's words, llama.cpp's (``status``) and ours."""
    one = room.upstream
    return {
        "id": one.name,
        "object": "model",
        "created": 0,
        "owned_by": "assay",
        "type": "model",
        "display_name": one.name,
        "created_at": "1970-01-01T00:00:00Z",
        "aliases": list(one.names),
        "digest": one.digest,
        "lock": one.lock,
        "status": {"value": room.state, **({"reason": room.closed} if room.closed else {})},
    }


def listed(served: Iterable[Room]) -> dict[str, Any]:
    """Return the whole of ``/v1/models``."""
    data = [described(one) for one in served]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
    return {"object": "list", "data": data, "has_more": False, **ends}
