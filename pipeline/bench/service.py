"""What a user of the server gets: a short closed-loop load test through its OpenAI API, for each number of streams."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import httpx

from pipeline.bench.model import BenchRow
from pipeline.bench.prompts import sized
from pipeline.bench.stats import median, percentile, spread
from pipeline.bench.stream import Timed, timed_stream
from pipeline.core.progress import SILENT, Progress
from pipeline.spec.model import Bench

LAYER = "service"
STALL_SECONDS = 120.0
MOST_SPREAD = 1.5


def service_rows(
    client: httpx.Client,
    bench: Bench,
    *,
    model: str,
    chat: bool,
    seed: int = 0,
    stall_seconds: float = STALL_SECONDS,
    progress: Progress = SILENT,
) -> tuple[BenchRow, ...]:
    """Measure TTFT, inter-token latency and throughput at each of ``bench.streams``, after one unmeasured request.

    Each number of streams gets ``bench.requests`` requests, and never fewer than streams. Every request has another
    prompt, of as many tokens as the shortest ``bench.prefill``, reads no prompt cache, and generates
    ``bench.max_tokens`` tokens, end of turn or not. ``chat`` False uses ``/v1/completions``, for a model without a
    template. A request fails when nothing comes for ``stall_seconds``. Where any request failed the speeds are None
    with the reason, since those that fail under load are the slow ones and the rest would flatter; ``failed_requests``
    counts them.
    """
    rows: list[BenchRow] = []
    counts = [max(bench.requests, streams) for streams in bench.streams]
    tokens = min(bench.prefill)
    with progress.task("load test", sum(counts), "requests") as task:
        prompts = [_prompt(client, seed, number, tokens) for number in range(sum(counts) + 1)]
        bodies = [_body(prompt, model, bench.max_tokens, seed, chat) for prompt in prompts]
        path = "/v1/chat/completions" if chat else "/v1/completions"
        load = _Load(client, path, httpx.Timeout(stall_seconds))
        load.run(bodies[:1], 1)
        begin = 1
        for streams, count in zip(bench.streams, counts, strict=True):
            done, seconds = load.run(bodies[begin : begin + count], streams, task.advance)
            begin += count
            rows += _rows(done, seconds, streams, bench.max_tokens)
    return tuple(rows)


def resource_rows(load_seconds: float | None, peak_memory: int | None) -> tuple[BenchRow, ...]:
    """Return the rows of what a server's process took: seconds until ready, and largest resident size in bytes."""
    found = {"load_seconds": (load_seconds, "s"), "peak_memory_bytes": (peak_memory, "bytes")}
    return tuple(
        _row("process", metric, [] if value is None else [value], unit, detail={}, missing="the system does not say")
        for metric, (value, unit) in found.items()
    )


class _Load:
    """Runs batches of requests, ``streams`` at a time: each worker sends its next when its last is answered."""

    def __init__(self, client: httpx.Client, path: str, timeout: httpx.Timeout) -> None:
        self._client, self._path, self._timeout = client, path, timeout
        self._stop = threading.Event()

    def run(
        self, bodies: Sequence[dict[str, Any]], streams: int, advance: Callable[[], object] = lambda: None
    ) -> tuple[list[Timed], float]:
        """Return each request's times, in order, and the seconds that all of them took together."""
        pool = ThreadPoolExecutor(streams, thread_name_prefix="stream")
        began = time.perf_counter()
        try:
            futures = [pool.submit(self._one, body) for body in bodies]
            for _ in as_completed(futures):
                advance()
        except BaseException:
            # Ctrl-C: the workers end at their next event, or when the server is stopped; nobody waits for them.
            self._stop.set()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        results = [future.result() for future in futures]
        return results, max(result.ended for result in results) - began

    def _one(self, body: dict[str, Any]) -> Timed:
        return timed_stream(self._client, self._path, body, timeout=self._timeout, stopped=self._stop.is_set)


def _prompt(client: httpx.Client, seed: int, number: int, tokens: int) -> str:
    """Return a prompt of about ``tokens`` tokens by the server's tokenizer, or by 4 letters each if it won't tell."""

    def count(text: str) -> int:
        try:
            answer = client.post("/tokenize", json={"content": text})
            return len(answer.raise_for_status().json()["tokens"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return len(text) // 4

    return sized(seed, number, tokens, count)


def _body(prompt: str, model: str, max_tokens: int, seed: int, chat: bool) -> dict[str, Any]:
    return {
        "model": model,
        **({"messages": [{"role": "user", "content": prompt}]} if chat else {"prompt": prompt}),
        "max_tokens": max_tokens,
        "temperature": 0,
        "seed": seed,
        "stream": True,
        "stream_options": {"include_usage": True},
        "ignore_eos": True,
        "cache_prompt": False,
        "timings_per_token": True,
    }


def _rows(results: Sequence[Timed], seconds: float, streams: int, max_tokens: int) -> list[BenchRow]:
    """Turn the requests of one concurrency into rows."""
    good = [result for result in results if not result.error]
    errors = Counter(result.error for result in results if result.error)
    failed = len(results) - len(good)
    reason = f"{failed} of {len(results)} requests failed: {errors.most_common(1)[0][0]}" if failed else ""
    gaps = [gap * 1000 for result in good for gap in result.gaps]
    rates = [result.decode_rate for result in good if result.decode_rate is not None]
    events = sum(len(result.arrivals) for result in good)
    noise = _noise(good, rates)
    detail = {
        "requests": len(results),
        "failed": failed,
        "errors": dict(errors.most_common(5)),
        "prompt_tokens": median([result.prompt_tokens for result in good]) if good else None,
        "cached_tokens": sum(result.cached_tokens for result in good),
        "ended_early": sum(result.tokens < max_tokens for result in good),
        "tokens_per_event": sum(result.tokens for result in good) / events if events else None,
        "noisy": bool(noise),
        "noise": noise,
    }
    few = "too few tokens came to tell"
    samples = {
        "ttft_ms": ([result.ttft * 1000 for result in good], "ms"),
        "itl_ms": (gaps, "ms"),
        "decode_tok_s": (rates, "tok/s"),
        "total_tok_s": ([sum(result.tokens for result in good) / seconds] if good else [], "tok/s"),
    }
    test = f"streams={streams}"
    p95 = percentile(gaps, 95) if gaps and not reason else None
    whose = {**detail, "percentile_of": "the samples of itl_ms"}
    return [
        *(
            _row(test, metric, values, unit, detail=detail, missing=few, reason=reason)
            for metric, (values, unit) in samples.items()
        ),
        BenchRow(LAYER, test, "itl_p95_ms", p95, "ms", (), reason or ("" if gaps else few), whose),
        _row(test, "failed_requests", [float(failed)], "requests", detail=detail, missing=few),
    ]


def _noise(good: Sequence[Timed], rates: Sequence[float]) -> str:
    """Say what makes these figures doubtful; nothing where nothing does."""
    reasons = []
    if late := sum(result.behind for result in good):
        reasons.append(f"the client fell behind in {late} of {len(good)} requests: something else used the cores")
    if rates and spread(rates) > MOST_SPREAD:
        reasons.append(f"the fastest stream is {spread(rates):.2f} times the slowest")
    return "; ".join(reasons)


def _row(
    test: str,
    metric: str,
    samples: Sequence[float],
    unit: str,
    *,
    detail: dict[str, Any],
    missing: str,
    reason: str = "",
) -> BenchRow:
    """Return the median's row; no value, but the reason, where there are no samples or ``reason`` forbids one."""
    reason = reason or ("" if samples else missing)
    value = None if reason else median(samples)
    return BenchRow(LAYER, test, metric, value, unit, tuple(samples), reason, detail)
