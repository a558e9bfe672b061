"""What a user of the server gets: a short closed-loop load test through its OpenAI API, for each number of streams.

All numbers of streams have their turn once. Then those whose batches don't count, or are too few for an interval, have
further turns until the budget is spent. A number of streams without a batch that counts is inconclusive.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import httpx

from pipeline.bench.level import LAYER, Level
from pipeline.bench.load import Load, counter
from pipeline.bench.model import BenchRow
from pipeline.bench.prompts import Prompts
from pipeline.bench.stats import median, resampled
from pipeline.bench.witness import Looker
from pipeline.core.progress import SILENT, Progress, Task
from pipeline.spec.model import Bench

STALL_SECONDS = 120.0
# Saturated: no larger number of streams that was measured makes the server faster by more than this.
GAIN = 0.05
MOST_STREAMS = 256
SHARED = "shared-prefix"


def service_rows(
    client: httpx.Client,
    bench: Bench,
    *,
    model: str,
    chat: bool,
    seed: int = 0,
    stall_seconds: float = STALL_SECONDS,
    looker: Looker | None = None,
    progress: Progress = SILENT,
) -> tuple[BenchRow, ...]:
    """Measure TTFT, inter-token latency, throughput and queueing at each of ``bench.streams``, after one unmeasured request.

    Each number of streams gets ``bench.requests`` requests in a batch, and never fewer than streams. Every request has
    another prompt, of as many tokens as the shortest ``bench.prefill``, reads no prompt cache, and generates
    ``bench.max_tokens`` tokens, end of turn or not. With ``bench.sweep`` the largest number of streams is doubled until
    that gains less than ``GAIN``. Last, requests that share all but the end of their prompts may use the cache.
    ``looker`` tells which batches count; without one all do.
    """
    load = Load(
        client,
        model=model,
        chat=chat,
        seed=seed,
        max_tokens=bench.max_tokens,
        stall_seconds=stall_seconds,
        looker=looker,
    )
    prompts = Prompts(seed, min(bench.prefill), counter(client))
    levels = [_level(bench, streams) for streams in bench.streams]
    load.run(prompts.take(1), 1)
    with progress.task("load test", sum(level.requests for level in levels), "requests") as task:
        for level in levels:
            _batch(load, prompts, level, task)
    with progress.task("load test, further batches", None, "requests") as task:
        if bench.sweep:
            _sweep(load, prompts, bench, levels, task)
        deadline = time.monotonic() + bench.budget
        while todo := [level for level in levels if level.wanted and time.monotonic() < deadline]:
            for level in todo:
                if time.monotonic() < deadline:
                    _batch(load, prompts, level, task)
        rows = [row for level in levels for row in level.rows()]
        return (*rows, saturation(levels), _shared(load, prompts, min(bench.requests, 8)))


def saturation(levels: Sequence[Level]) -> BenchRow:
    """Return the smallest number of streams that no larger one outdoes by more than ``GAIN`` in tokens a second."""
    known = sorted((level.streams, median(level.totals)) for level in levels if level.totals and not level.failed)
    found = {
        streams: all(more <= total * (1 + GAIN) for other, more in known if other > streams)
        for streams, total in known[:-1]
    }
    at = next((float(streams) for streams, holds in found.items() if holds), None)
    disturbed = [level for level in levels if level.reason]
    reason = ""
    if at is None or disturbed:
        reason = f"not known for {disturbed[0].name}: {disturbed[0].reason}" if disturbed else _why(known)
    detail = {"rule": f"no larger number of streams gains more than {GAIN:.0%}", "tok_s": dict(known)}
    inconclusive = any(not level.failed for level in disturbed)
    value = None if reason else at
    return BenchRow(
        LAYER, "sweep", "saturation_streams", value, "streams", (), reason, detail, inconclusive=inconclusive
    )


def _why(known: Sequence[tuple[int, float]]) -> str:
    if len(known) < 2:
        return "one number of streams does not tell; name more under bench.streams"
    return f"throughput still grew at {known[-1][0]} streams, the most that were tried"


def _level(bench: Bench, streams: int) -> Level:
    return Level(streams, max(bench.requests, streams), bench.max_tokens, bench.slo)


def _batch(load: Load, prompts: Prompts, level: Level, task: Task) -> None:
    level.batches.append(load.run(prompts.take(level.requests), level.streams, task.advance))


def _sweep(load: Load, prompts: Prompts, bench: Bench, levels: list[Level], task: Task) -> None:
    """Double the streams until the server is saturated, a request fails, a batch doesn't count, or they are too many."""
    while saturation(levels).value is None and not any(level.reason for level in levels):
        streams = 2 * max(level.streams for level in levels)
        if streams > MOST_STREAMS:
            return
        levels.append(_level(bench, streams))
        _batch(load, prompts, levels[-1], task)


def _shared(load: Load, prompts: Prompts, requests: int) -> BenchRow:
    """Return the time to first token of requests one after the other whose prompts begin alike, the first left out."""
    asked = prompts.sharing(requests + 1)
    load.run(asked[:1], 1, cached=True)
    batch = load.run(asked[1:], 1, cached=True)
    good = [one for one in batch.done if not one.error]
    cached = median([one.cached_tokens for one in good]) if good else 0
    failed = next((one.error for one in batch.done if one.error), "")
    reason = f"a request failed: {failed}" if failed else ""
    if not batch.valid and not reason:
        reason = f"inconclusive: the batch does not count ({batch.fared.against[0]})"
    firsts = [one.ttft * 1000 for one in good]
    low, high = (None if reason else resampled([[first] for first in firsts], 50)) or (None, None)
    noise = "" if cached or reason else "the server took nothing from its cache"
    noise = "; ".join(filter(None, (noise, batch.fared.crowded)))
    detail = {
        "cached_tokens": cached,
        "prompt_tokens": median([one.prompt_tokens for one in good]) if good else None,
        "batches": [batch.fared.content()],
        "noisy": bool(noise),
        "noise": noise,
    }
    value = None if reason else median(firsts)
    inconclusive = bool(reason) and not failed
    return BenchRow(
        LAYER, SHARED, "shared_prefix_ttft_ms", value, "ms", tuple(firsts), reason, detail, low, high, inconclusive
    )
