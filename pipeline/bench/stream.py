"""One streamed completion, timed as its reader sees it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import httpx

Clock = Callable[[], float]
# A gap is too short to be the server's when it is below this part of the server's own; a reader with more than this
# share of such gaps had fallen behind, and read in bursts what had waited for it.
SHORT_GAP = 0.2
MOST_SHORT_GAPS = 0.1
# llama-server may drop a connection right after a stream, without an answer to a request that is already on its way.
OWN_CONNECTION = {"Connection": "close"}


@dataclass(frozen=True)
class Timed:
    """What one request took. Times are seconds on the caller's clock.

    ``arrivals`` are those of the events that carried generated text, the first of which ends the time to first token;
    an event that carries only a role does not count. ``made`` are the server's own times of the same events, or
    nothing. ``tokens`` is the server's count, as an event may hold several tokens. ``prefill`` is how long the server says
    it worked on the prompt; None where it doesn't say. ``error`` is empty after a success.
    """

    sent: float
    ended: float
    arrivals: tuple[float, ...] = ()
    made: tuple[float, ...] = ()
    tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    finish_reason: str = ""
    error: str = ""
    prefill: float | None = None

    @property
    def queue(self) -> float | None:
        """Seconds to the first token in which the server did not work on the prompt: those in its queue, with what HTTP
        and the tokenizer took; None where it doesn't say.
        """
        return None if self.prefill is None else max(0.0, self.ttft - self.prefill)

    @property
    def ttft(self) -> float:
        """Time to first token in seconds."""
        return self.arrivals[0] - self.sent

    @property
    def behind(self) -> bool:
        """Tell whether the reader was kept from reading, so that arrivals bunch up; False where ``made`` is empty."""
        pairs = list(zip(_gaps(self.arrivals), _gaps(self.made), strict=False))
        return sum(seen < SHORT_GAP * true for seen, true in pairs) > MOST_SHORT_GAPS * len(pairs)

    @property
    def gaps(self) -> tuple[float, ...]:
        """Inter-token latencies in seconds; on the server's clock where the reader was ``behind``."""
        return _gaps(self.made if self.behind else self.arrivals)

    @property
    def decode_rate(self) -> float | None:
        """Tokens per second after the first, on the slower of the two clocks; None where there is no second token.

        A reader that is late for the first token and in time for the last would else see too fast a server.
        """
        took = max((times[-1] - times[0] for times in (self.arrivals, self.made) if times), default=0.0)
        return (self.tokens - 1) / took if self.tokens > 1 and took > 0 else None


def _gaps(times: Sequence[float]) -> tuple[float, ...]:
    return tuple(two - one for one, two in pairwise(times))


def timed_stream(
    client: httpx.Client,
    path: str,
    body: dict[str, Any],
    *,
    timeout: httpx.Timeout,
    clock: Clock = time.perf_counter,
    stopped: Callable[[], bool] = lambda: False,
) -> Timed:
    """Send one streaming request and time its answer. What server or wire do wrong never raises: ``error`` says it."""
    reads: list[tuple[float, bytes]] = []
    error = ""
    sent = clock()
    try:
        with client.stream("POST", path, json=body, timeout=timeout, headers=OWN_CONNECTION) as response:
            if response.status_code != 200:
                error = f"HTTP {response.status_code}: {response.read().decode(errors='replace')[:300]}"
            else:
                # Only the time is taken here; parsing waits, since it would make the next read late.
                for read in response.iter_bytes():
                    reads.append((clock(), read))
                    if stopped():
                        error = "stopped"
                        break
    except httpx.HTTPError as failure:
        error = f"{type(failure).__name__}: {failure}"
    ended = clock()
    if error:
        return Timed(sent, ended, error=error)
    try:
        return _understood(Timed(sent, ended), reads)
    except (ValueError, AttributeError, TypeError, KeyError) as failure:
        return Timed(sent, ended, error=f"an event that is no completion chunk: {failure}")


def _understood(timed: Timed, reads: Sequence[tuple[float, bytes]]) -> Timed:
    """Fill in what the events say. Raises ValueError and its like on one that is no completion chunk."""
    arrivals: list[float] = []
    made: list[float] = []
    usage: dict[str, Any] = {}
    prefill: float | None = None
    finish, done = "", False
    for now, data in _events(reads):
        if data == "[DONE]":
            done = True
            break
        event = json.loads(data)
        if "error" in event:
            return replace(timed, error=f"error in the stream: {json.dumps(event['error'])[:300]}")
        usage = event.get("usage") or usage
        timings = event.get("timings") or {}
        if (ms := timings.get("prompt_ms")) is not None:
            prefill = float(ms) / 1000
        for choice in event.get("choices") or ():
            finish = choice.get("finish_reason") or finish
            if _text(choice):
                arrivals.append(now)
                if (ms := timings.get("predicted_ms")) is not None:
                    made.append(float(ms) / 1000)
    tokens = usage.get("completion_tokens")
    problems = {
        "the stream ended without [DONE]": not done,
        "no text came": not arrivals,
        "the server did not say how many tokens it made": not isinstance(tokens, int),
    }
    return replace(
        timed,
        arrivals=tuple(arrivals),
        made=tuple(made) if len(made) == len(arrivals) else (),
        tokens=tokens or 0,
        prompt_tokens=usage.get("prompt_tokens") or 0,
        cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
        finish_reason=finish,
        error=next((problem for problem, holds in problems.items() if holds), ""),
        prefill=prefill,
    )


def _events(reads: Sequence[tuple[float, bytes]]) -> Iterator[tuple[float, str]]:
    """Yield the data of each server-sent event, with the time of the read that completed it."""
    rest = b""
    for now, read in reads:
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield now, line[5:].strip().decode()


def _text(choice: dict[str, Any]) -> bool:
    """Tell whether a chunk carries generated text: an answer or its reasoning (chat), or plain text (completion)."""
    delta = choice.get("delta") or {}
    return bool(delta.get("content") or delta.get("reasoning_content") or choice.get("text"))
