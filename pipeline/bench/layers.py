"""How much of the engine's speed reaches a user: the service's figures over llama-bench's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.bench.limits import depth_of
from pipeline.bench.model import BenchRow


def gap_rows(rows: Iterable[BenchRow]) -> tuple[BenchRow, ...]:
    """Return decode speed of one stream over the engine's behind a context of about the same length, and prompt tokens
    over the time to first token of one stream over the engine's prefill. What is between is sampling, detokenising,
    templates and HTTP. No rows where one stream alone was not measured.
    """
    rows = list(rows)
    one = {row.metric: row for row in rows if row.layer == "service" and row.test == "streams=1"}
    if not one:
        return ()
    decode, first = one["decode_tok_s"], one["ttft_ms"]
    tokens = decode.detail.get("prompt_tokens") or 0
    generators = [row for row in rows if row.layer == "engine" and row.metric == "decode_tok_s"]
    prefills = [row for row in rows if row.layer == "engine" and row.metric == "prefill_tok_s" and "+d" not in row.test]
    near = min(generators, key=lambda row: abs(depth_of(row.test) - tokens), default=None)
    like = min(prefills, key=lambda row: abs(int(row.test[2:]) - tokens), default=None)
    return (
        _share("service_share_of_engine", decode, near, decode.value, decode.low, decode.high),
        _share(
            "prefill_share_of_engine", first, like, *(_rate(tokens, ms) for ms in (first.value, first.high, first.low))
        ),
    )


def _rate(tokens: float, ms: float | None) -> float | None:
    return tokens * 1000 / ms if ms else None


def _share(
    metric: str, service: BenchRow, engine: BenchRow | None, value: float | None, low: float | None, high: float | None
) -> BenchRow:
    reason = service.reason or ("the engine's speed was not measured" if engine is None else engine.reason)
    detail: dict[str, Any] = {"engine": engine.test if engine else None, "service": service.test}
    inconclusive = service.inconclusive or bool(engine and engine.inconclusive)
    if reason or value is None or engine is None or not engine.value:
        why = reason or "one of both is not known"
        return BenchRow("service", service.test, metric, None, "share", (), why, detail, inconclusive=inconclusive)
    detail |= {"engine_tok_s": engine.value, "service_tok_s": value}
    least = low / engine.high if low and engine.high else None
    most = high / engine.low if high and engine.low else None
    return BenchRow("service", service.test, metric, value / engine.value, "share", (), "", detail, least, most)
