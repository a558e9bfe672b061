"""A server that is up, as what puts many questions to it needs it: where it is, and what the lock says of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from pipeline.core.errors import EngineError
from pipeline.runtime.answer import Answer
from pipeline.runtime.ask import ask, complete, healthy


class Counter(Protocol):
    """What hears how much is done."""

    def advance(self, amount: int = 1) -> None:
        """Say that ``amount`` more units are done."""


@dataclass(frozen=True)
class Request:
    """One question: a body for ``/v1/chat/completions``, or with ``plain`` for ``/v1/completions``."""

    body: dict[str, Any]
    plain: bool = False


@dataclass(frozen=True)
class Serving:
    """A running ``llama-server``. ``model`` is its name, ``sampling`` that of the lock, ``slots`` how many requests it
    works on at once, ``context`` the tokens of one slot. ``template`` tells whether the model has a chat template;
    ``tools`` whether that template shows tools to the model, None where nobody knows."""

    client: httpx.Client
    model: str
    sampling: Mapping[str, Any] = field(default_factory=dict)
    slots: int = 1
    context: int = 0
    template: bool = True
    tools: bool | None = None
    timeout: float = 600.0

    def answers(self, requests: Sequence[Request], *, at_once: int | None = None, task: Counter) -> list[Answer]:
        """Ask everything, ``at_once`` requests at a time (default: one for each slot), and return the answers in the
        order of the requests.

        A refusal or a timeout is an answer with ``trouble``. Raises EngineError when the server is gone: what was not
        asked then says nothing of the model.
        """
        stop = threading.Event()
        with ThreadPoolExecutor(max(1, min(at_once or self.slots, len(requests) or 1))) as pool:
            waiting = [pool.submit(self._answer, request, stop) for request in requests]
            try:
                answers = []
                for number, one in enumerate(waiting, 1):
                    answers.append(one.result())
                    if answers[-1].trouble and not healthy(self.client):
                        words = answers[-1].trouble.words
                        said = f"llama-server is gone since question {number} of {len(requests)}: {words}"
                        raise EngineError(said, hint="try assay doctor; the server's end is in what it wrote last")
                    task.advance(1)
            except BaseException:
                stop.set()
                for one in waiting:
                    one.cancel()
                raise
        return answers

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has for the model, without BOS. Raises EngineError when the server fails."""
        counts = []
        for text in texts:
            try:
                body = {"content": text, "add_special": False}
                counts.append(len(self.client.post("/tokenize", json=body).raise_for_status().json()["tokens"]))
            except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError) as error:
                raise EngineError(f"llama-server can't tokenize a text: {error or type(error).__name__}") from None
        return counts

    def _answer(self, request: Request, stop: threading.Event) -> Answer:
        if stop.is_set():
            return Answer()
        put = complete if request.plain else ask
        return put(self.client, {"model": self.model, **request.body}, timeout=self.timeout)
