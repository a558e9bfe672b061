"""Requests to a server, so many at a time, each timed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import httpx

from pipeline.bench.stream import Timed, timed_stream
from pipeline.bench.witness import Fared, Looker


@dataclass(frozen=True)
class Batch:
    """Requests of one number of streams, the seconds that all of them took together, and how client and server
    fared.
    """

    done: tuple[Timed, ...]
    seconds: float
    fared: Fared

    @property
    def valid(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.fared.against


class Load:
    """Sends batches of requests, ``streams`` at a time: each worker sends its next when its last is answered.

    ``chat`` False uses ``/v1/completions``, for a model without a template. A request fails when nothing comes for
    ``stall_seconds``.
    """

    def __init__(
        self,
        client: httpx.Client,
        *,
        model: str,
        chat: bool,
        seed: int,
        max_tokens: int,
        stall_seconds: float,
        looker: Looker | None,
    ) -> None:
        self._client, self._timeout, self._looker = client, httpx.Timeout(stall_seconds), looker
        self._path = "/v1/chat/completions" if chat else "/v1/completions"
        self._model, self._chat, self._seed, self._max_tokens = model, chat, seed, max_tokens
        self._stop = threading.Event()

    def run(
        self,
        prompts: Sequence[str],
        streams: int,
        advance: Callable[[], object] = lambda: None,
        *,
        cached: bool = False,
    ) -> Batch:
        """Return each request's times, in order. ``cached`` lets the server take what it can from its prompt cache."""
        bodies = [self._body(prompt, cached) for prompt in prompts]
        pool = ThreadPoolExecutor(streams, thread_name_prefix="stream")
        before, began = self._looker.now() if self._looker else None, time.perf_counter()
        try:
            futures = [pool.submit(self._one, body) for body in bodies]
            for _ in as_completed(futures):
                advance()
            # The workers still live: what a thread waited for is forgotten with it.
            fared = self._looker.since(before) if self._looker and before else Fared()
        except BaseException:
            # Ctrl-C: the workers end at their next event, or when the server is stopped; nobody waits for them.
            self._stop.set()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        results = tuple(future.result() for future in futures)
        return Batch(results, max(result.ended for result in results) - began, fared)

    def _one(self, body: dict[str, Any]) -> Timed:
        return timed_stream(self._client, self._path, body, timeout=self._timeout, stopped=self._stop.is_set)

    def _body(self, prompt: str, cached: bool) -> dict[str, Any]:
        return {
            "model": self._model,
            **({"messages": [{"role": "user", "content": prompt}]} if self._chat else {"prompt": prompt}),
            "max_tokens": self._max_tokens,
            "temperature": 0,
            "seed": self._seed,
            "stream": True,
            "stream_options": {"include_usage": True},
            "ignore_eos": True,
            "cache_prompt": cached,
            "timings_per_token": True,
        }


def counter(client: httpx.Client) -> Callable[[str], int]:
    """Return what counts a text's tokens by the server's tokenizer, or 4 letters as one if it won't tell."""

    def count(text: str) -> int:
        try:
            answer = client.post("/tokenize", json={"content": text})
            return len(answer.raise_for_status().json()["tokens"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return len(text) // 4

    return count
