"""Repetitions of one test, pooled over rounds: which count, what they come to, and whether more are needed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev

from pipeline.bench.stats import deviant, median, resampled, student
from pipeline.bench.validity import Conditions

# The interval's half width at which nothing more is measured, and at which a number is still given.
ENOUGH = 0.02
MOST_WIDTH = 0.05
# Below this, a series is too short for the system's counters to tell how it ran.
LEAST_SECONDS = 0.5
SLOW_FIRST = 1.1
MOST_ROUNDS = 12


@dataclass(frozen=True)
class Repetition:
    """One repetition: its rate in tokens a second, how it ran, and when it began (``time.monotonic``)."""

    rate: float
    conditions: Conditions
    at: float | None = None


@dataclass
class Series:
    """All repetitions of one test. ``least``: how many must count."""

    least: int
    repetitions: list[Repetition] = field(default_factory=list)
    rounds: int = 0

    @property
    def valid(self) -> list[float]:
        """The rates that count."""
        return [one.rate for one in self.repetitions if one.conditions.valid]

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean rate by Student's t; None for fewer than two that count."""
        rates = self.valid
        if len(rates) < 2:
            return None
        half = student(len(rates) - 1) * stdev(rates) / math.sqrt(len(rates))
        return mean(rates) - half, mean(rates) + half

    @property
    def around(self) -> tuple[float, float] | None:
        """The 95 % interval of the median, which is what is given; that of the mean where they are too few to tell."""
        return resampled([[rate] for rate in self.valid], 50) or self.interval

    @property
    def width(self) -> float:
        """The interval's half width as a share of the mean; infinite where there is none."""
        return math.inf if self.interval is None else (self.interval[1] - self.interval[0]) / 2 / mean(self.valid)

    @property
    def wanted(self) -> int:
        """How many more repetitions should be run; 0 when the series is settled, or given up after ``MOST_ROUNDS``."""
        if self.rounds >= MOST_ROUNDS:
            return 0
        seconds = sum(one.conditions.seconds for one in self.repetitions)
        if self.repetitions and seconds < LEAST_SECONDS:
            each = seconds / len(self.repetitions)
            return math.ceil((LEAST_SECONDS - seconds) / max(each, 1e-4)) if each else self.least
        if len(self.valid) < self.least:
            return self.least * min(4, max(1, self.rounds))
        if self.width <= ENOUGH:
            return 0
        return min(4 * self.least, math.ceil(len(self.valid) * ((self.width / ENOUGH) ** 2 - 1)))

    @property
    def inconclusive(self) -> str:
        """Why there is no number to give; "" where there is one."""
        if len(self.valid) < self.least:
            bad = [one.conditions.against[0] for one in self.repetitions if not one.conditions.valid]
            # The figures in the reasons differ; what is told is the commonest kind, with its first figures.
            kind = Counter(reason.rsplit(":", 1)[-1] for reason in bad).most_common(1)
            first = next((reason for reason in bad if kind and reason.endswith(kind[0][0])), "")
            said = f"{len(self.valid)} of {len(self.repetitions)} repetitions count, {self.least} are wanted"
            return f"inconclusive: {said}" + (f" ({first})" if first else "")
        if self.width > MOST_WIDTH:
            return f"inconclusive: the repetitions that count differ too much (± {self.width:.0%} at 95 %)"
        low, high = self.around or (0.0, 0.0)
        if high - low > 2 * MOST_WIDTH * median(self.valid):  # as where a processor has two speeds
            return f"inconclusive: the median lies anywhere from {low:.6g} to {high:.6g} tok/s at 95 %"
        return ""

    @property
    def remarks(self) -> list[str]:
        """What is odd about the repetitions that count."""
        rates, found = self.valid, []
        if len(rates) > 2 and rates[0] * SLOW_FIRST < median(rates[1:]):
            found.append("the first repetition was slower than those after it")
        if odd := deviant(rates):
            found.append(f"{len(odd)} of {len(rates)} repetitions lie far from the median")
        if ENOUGH < self.width <= MOST_WIDTH:
            found.append(f"the mean is known to ± {self.width:.1%} only")
        left_out = len(self.repetitions) - len(rates)
        if left_out and len(rates) >= self.least:
            found.append(f"{left_out} of {len(self.repetitions)} repetitions were left out")
        return found


def pooled(series: Sequence[Series]) -> int:
    """Return how many repetitions the next round runs of each of ``series``, all in one process."""
    return max((one.wanted for one in series), default=0)
