"""A server that is up, as what puts many questions to it needs it: where it is, and what the lock says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
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


class Kept(Protocol):
    """What keeps answers. ``at_once`` is how many requests shared the server."""

    def get(self, request: Request, at_once: int) -> Answer | None:
        """Return the answer that was kept for a request, or None."""

    def put(self, request: Request, at_once: int, answer: Answer) -> None:
        """Keep an answer."""


@dataclass(frozen=True)
class Serving:
    """A running ``llama-server``. ``model`` is its name, ``sampling`` that of the lock, ``slots`` how many requests it
    works on at once, ``context`` the tokens of one slot. ``template`` tells whether the model has a chat template;
    ``tools`` whether that template shows tools to the model, None where nobody knows. What is in ``kept`` is not asked
    again."""

    client: httpx.Client
    model: str
    sampling: Mapping[str, Any] = field(default_factory=dict)
    slots: int = 1
    context: int = 0
    template: bool = True
    tools: bool | None = None
    timeout: float = 600.0
    kept: Kept | None = None

    def answers(self, requests: Sequence[Request], *, at_once: int | None = None, task: Counter) -> list[Answer]:
        """Ask everything, ``at_once`` requests at a time (default: one for each slot), and return the answers in the
        order of the requests.

        A refusal or a timeout is an answer with ``trouble``. Each answer is kept as soon as it came. Raises EngineError
        when the server is gone: what was not asked then says nothing of the model.
        """
        shared = at_once or self.slots
        answers = [self.kept.get(request, shared) if self.kept else None for request in requests]
        missing = [number for number, answer in enumerate(answers) if answer is None]
        task.advance(len(requests) - len(missing))
        ended: SimpleQueue[tuple[int, Future[Answer]]] = SimpleQueue()
        pool = ThreadPoolExecutor(max(1, min(shared, len(missing))))
        try:
            for number in missing:
                asked = pool.submit(self._answer, requests[number])
                asked.add_done_callback(partial(_put, ended, number))
            for _ in missing:
                number, done = ended.get()
                answers[number] = answer = done.result()
                if answer.trouble and not healthy(self.client):
                    said = (
                        f"llama-server is gone since question {number + 1} of {len(requests)}: {answer.trouble.words}"
                    )
                    raise EngineError(said, hint="try assay doctor; the server's end is in what it wrote last")
                if self.kept:
                    self.kept.put(requests[number], shared, answer)
                task.advance(1)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # what still runs ends with the server
        return [answer for answer in answers if answer is not None]

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

    def _answer(self, request: Request) -> Answer:
        put = complete if request.plain else ask
        return put(self.client, {"model": self.model, **request.body}, timeout=self.timeout)


def _put(ended: SimpleQueue[tuple[int, Future[Answer]]], number: int, future: Future[Answer]) -> None:
    ended.put((number, future))
