"""From a suite's prompts to requests: what all kinds share that ask the locked server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pipeline.core.errors import UsageError
from pipeline.core.progress import Progress
from pipeline.evals.kinds._base import Suite, Text
from pipeline.runtime.answer import Answer
from pipeline.runtime.serving import Request, Serving


class Asked(Suite):
    """What every suite that asks the server may say. Template, stop strings and argv are those of the lock. ``decoding:
    greedy`` takes the likeliest token each time; with ``locked``, tokens are drawn as the lock says, seed included.
    ``max_tokens`` bounds an answer. ``at_once`` is how many requests share the server (default: one for each slot); with
    ``1`` no answer depends on what was asked beside it. ``system`` is the system message; ``prompt: plain`` sends text
    without the chat template, for base models, and then ``stop`` says what ends an answer, in place of the lock's stop strings."""

    prompt: Literal["chat", "plain"] = "chat"
    decoding: Literal["greedy", "locked"] = "greedy"
    max_tokens: Annotated[int, Field(gt=0, le=1 << 20)] = 256
    at_once: Annotated[int, Field(gt=0, le=256)] | None = None
    system: str | None = None
    stop: Annotated[tuple[Text, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.prompt == "chat" and self.stop:
            raise ValueError("stop goes with prompt: plain; a conversation ends as the lock says")
        if self.prompt == "plain" and self.system is not None:
            raise ValueError("system goes with prompt: chat; plain text has no system message")
        return self


def require_fit(config: Asked, server: Serving) -> None:
    """Raise UsageError when the suite wants a conversation, and the model has no template for one."""
    if config.prompt == "chat" and not server.template:
        said = f"the suite asks in chat, and {server.model} has no chat template"
        hint = "take a suite with prompt: plain, or give the spec a chat template; llama-server would make one up"
        raise UsageError(said, hint=hint)


def request_of(
    config: Asked, server: Serving, text: str, *, messages: Sequence[dict[str, Any]] = (), **more: Any
) -> Request:
    """Return the request that asks one question: ``text`` as a user's turn, or as plain text; ``messages`` are a
    conversation in its place. ``more`` goes into the body.

    The server's prompt cache is off, so that no answer depends on what was asked before.
    """
    sampling = {key: value for key, value in server.sampling.items() if value is not None}
    if config.decoding == "greedy":
        sampling["temperature"] = 0.0
    body = {**sampling, "max_tokens": config.max_tokens, "cache_prompt": False, **more}
    if config.prompt == "plain":
        return Request({**body, "prompt": text, **({"stop": list(config.stop)} if config.stop else {})}, plain=True)
    system = [{"role": "system", "content": config.system}] if config.system is not None else []
    return Request({**body, "messages": [*system, *(messages or [{"role": "user", "content": text}])]})


def answers_of(config: Asked, server: Serving, requests: Sequence[Request], progress: Progress) -> list[Answer]:
    """Ask everything, and return the answers in the order of the requests. Raises UsageError and EngineError."""
    require_fit(config, server)
    with progress.task("asking", len(requests), "items") as task:
        return server.answers(requests, at_once=config.at_once, task=task)


def together(config: Asked, server: Serving) -> int:
    """Return how many requests share the server."""
    return config.at_once or server.slots
