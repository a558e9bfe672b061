"""What a number of concurrent streams comes to: all its batches of requests, as rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.bench.load import Batch
from pipeline.bench.model import BenchRow
from pipeline.bench.stats import mean_interval, median, percentile, resampled, spread
from pipeline.bench.stream import Timed
from pipeline.spec.model import Slo

LAYER = "service"
# How many batches must count, so that the total rate has an interval; and how many are run at most for that.
ROUNDS = 3
MOST_ROUNDS = 12
MOST_SPREAD = 1.5

_FEW = "too few tokens came to tell"
_SILENT = "the server does not say how long it worked on a prompt"


@dataclass
class Level:
    """All batches of ``streams`` concurrent streams, ``requests`` in each, for answers of ``max_tokens``."""

    streams: int
    requests: int
    max_tokens: int
    slo: Slo | None = None
    batches: list[Batch] = field(default_factory=list)

    @property
    def name(self) -> str:
        """``streams=4``."""
        return f"streams={self.streams}"

    @property
    def valid(self) -> list[Batch]:
        """The batches that count."""
        return [batch for batch in self.batches if batch.valid]

    @property
    def failed(self) -> list[Timed]:
        """The requests that failed, in any batch."""
        return [one for batch in self.batches for one in batch.done if one.error]

    @property
    def wanted(self) -> bool:
        """Whether another batch would tell more."""
        return not self.failed and len(self.valid) < ROUNDS and len(self.batches) < MOST_ROUNDS

    @property
    def totals(self) -> list[float]:
        """The tokens a second over all streams, of each batch that counts."""
        return [_total(batch) for batch in self.valid]

    @property
    def reason(self) -> str:
        """Why there are no speeds: where any request failed, since those that fail under load are the slow ones and the
        rest would flatter; or where none of the batches counts.
        """
        if self.failed:
            count = sum(len(batch.done) for batch in self.batches)
            errors = Counter(one.error for one in self.failed)
            return f"{len(self.failed)} of {count} requests failed: {errors.most_common(1)[0][0]}"
        if not self.valid:
            return f"inconclusive: none of {len(self.batches)} batches counts ({self.batches[0].fared.against[0]})"
        return ""

    def rows(self) -> list[BenchRow]:
        """Return everything that is known of it; no value, but the reason, where a speed can't be told."""
        batches = self.valid or self.batches
        good = [one for batch in batches for one in batch.done if not one.error]
        everyone = [one for batch in self.batches for one in batch.done if not one.error]
        gaps = [[gap * 1000 for gap in one.gaps] for one in good]
        firsts = [[one.ttft * 1000] for one in good]
        queues = [[one.queue * 1000] for one in good if one.queue is not None]
        rates = [one.decode_rate for one in good if one.decode_rate is not None]
        slowest = {
            "decode_tok_s": min((one.decode_rate for one in everyone if one.decode_rate is not None), default=None),
            "total_tok_s": min((_total(batch) for batch in self.batches), default=None),
        }
        waiting = [sum(one.queue or 0.0 for one in batch.done if not one.error) / batch.seconds for batch in batches]
        totals = [_total(batch) for batch in batches] if good else []
        rows = [
            self._percentile("ttft_ms", firsts, 50, "ms"),
            self._percentile("ttft_p95_ms", firsts, 95, "ms", "ttft_ms"),
            self._percentile("itl_ms", gaps, 50, "ms"),
            self._percentile("itl_p95_ms", gaps, 95, "ms", "itl_ms"),
            self._percentile("itl_p99_ms", gaps, 99, "ms", "itl_ms"),
            self._percentile("decode_tok_s", [[rate] for rate in rates], 50, "tok/s", slowest=slowest["decode_tok_s"]),
            self._of_batches("total_tok_s", totals, "tok/s", slowest=slowest["total_tok_s"]),
            self._percentile("queue_ms", queues, 50, "ms", missing=_SILENT),
            self._of_batches("requests_waiting", waiting if queues else [], "requests", missing=_SILENT),
            *self._goodput(batches),
        ]
        return [
            *rows,
            BenchRow(LAYER, self.name, "failed_requests", float(len(self.failed)), "requests", detail=self._detail()),
        ]

    def _goodput(self, batches: Sequence[Batch]) -> list[BenchRow]:
        """Return how many requests a second met the objectives, and the share of all that did."""
        if self.slo is None:
            return []
        slo, said = self.slo, self.slo.model_dump()
        met = [sum(_meets(one, slo) for one in batch.done) for batch in batches]
        rates = [count / batch.seconds for count, batch in zip(met, batches, strict=True)]
        asked = sum(len(batch.done) for batch in batches)
        share = [sum(met) / asked] if asked else []
        return [
            self._of_batches("goodput_req_s", rates, "requests/s", slo=said),
            self._of_batches("slo_share", share, "share", slo=said),
        ]

    def _percentile(
        self,
        metric: str,
        groups: Sequence[Sequence[float]],
        percent: float,
        unit: str,
        of: str = "",
        *,
        missing: str = _FEW,
        **detail: Any,
    ) -> BenchRow:
        samples = [value for group in groups for value in group]
        if of:
            detail["percentile_of"] = f"the samples of {of}"
        value = percentile(samples, percent) if samples else None
        interval = resampled([group for group in groups if group], percent)
        return self._row(metric, value, interval, () if of else tuple(samples), unit, missing, detail)

    def _of_batches(
        self, metric: str, samples: Sequence[float], unit: str, *, missing: str = _FEW, **detail: Any
    ) -> BenchRow:
        value = median(samples) if samples else None
        interval = resampled([[one] for one in samples], 50) or mean_interval(samples)
        return self._row(metric, value, interval, tuple(samples), unit, missing, detail)

    def _row(
        self,
        metric: str,
        value: float | None,
        interval: tuple[float, float] | None,
        samples: tuple[float, ...],
        unit: str,
        missing: str,
        detail: dict[str, Any],
    ) -> BenchRow:
        why = self.reason or ("" if value is not None else missing)
        low, high = interval or (None, None)
        if why:
            value = low = high = None
        disturbed = not self.failed and not self.valid
        every = {**self._detail(), **detail}
        return BenchRow(LAYER, self.name, metric, value, unit, samples, why, every, low, high, disturbed)

    def _detail(self) -> dict[str, Any]:
        good = [one for batch in (self.valid or self.batches) for one in batch.done if not one.error]
        events = sum(len(one.arrivals) for one in good)
        noise = self._noise(good)
        return {
            "requests": sum(len(batch.done) for batch in self.batches),
            "failed": len(self.failed),
            "errors": dict(Counter(one.error for one in self.failed).most_common(5)),
            "prompt_tokens": median([one.prompt_tokens for one in good]) if good else None,
            "cached_tokens": sum(one.cached_tokens for one in good),
            "ended_early": sum(one.tokens < self.max_tokens for one in good),
            "tokens_per_event": sum(one.tokens for one in good) / events if events else None,
            "batches": [{"seconds": round(one.seconds, 4), **one.fared.content()} for one in self.batches],
            "noisy": bool(noise),
            "noise": noise,
        }

    def _noise(self, good: Sequence[Timed]) -> str:
        """Say what makes the figures doubtful; nothing where nothing does."""
        reasons = []
        rates = [one.decode_rate for one in good if one.decode_rate is not None]
        if late := sum(one.behind for one in good):
            reasons.append(f"the client fell behind in {late} of {len(good)} requests: it was kept from reading")
        if rates and spread(rates) > MOST_SPREAD:
            reasons.append(f"the fastest stream is {spread(rates):.2f} times the slowest")
        if self.valid and (crowded := max((batch.fared for batch in self.valid), key=lambda one: one.waited).crowded):
            reasons.append(crowded)
        left_out = len(self.batches) - len(self.valid)
        if left_out and self.valid:
            reasons.append(f"{left_out} of {len(self.batches)} batches were left out")
        return "; ".join(reasons)


def _total(batch: Batch) -> float:
    return sum(one.tokens for one in batch.done if not one.error) / batch.seconds if batch.seconds > 0 else 0.0


def _meets(one: Timed, slo: Slo) -> bool:
    """Tell whether a request met the objectives: its time to first token, and the mean of its gaps."""
    if one.error:
        return False
    pace = 1000 / one.decode_rate if one.decode_rate else 0.0
    return (slo.ttft_ms is None or one.ttft * 1000 <= slo.ttft_ms) and (slo.itl_ms is None or pace <= slo.itl_ms)
