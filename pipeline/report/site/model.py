"""What the pages of the site show, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pipeline.bench.model import BenchRow
from pipeline.evals.model import Metric
from pipeline.report.model import Fact

# What the pages of the catalog and of machines show of benchmarks.
OF_CATALOG = ("decode_tok_s", "prefill_tok_s", "ttft_ms", "peak_memory_bytes")
OF_MACHINES = (
    *("decode_tok_s", "prefill_tok_s", "energy_per_token", "decode_bandwidth_share", "prefill_arithmetic_share"),
    *("memory_bandwidth", "arithmetic"),
)


@dataclass(frozen=True)
class Entry:
    """One model of the catalog. ``scores``: the first metric of each suite, by ``SUITE.METRIC``; ``bench``: what was measured;
    ``page``: where its report lies, empty where there is none; ``behind``: it shows another decision than the one of now. ``size``
    is in bytes.
    """

    name: str
    state: str
    why: tuple[str, ...] = ()
    fix: str = ""
    waived: tuple[str, ...] = ()
    page: str = ""
    behind: bool = False
    decided: datetime | None = None
    size: int | None = None
    parameters: int | None = None
    quantization: str = ""
    scores: Mapping[str, Metric] = field(default_factory=dict)
    bench: tuple[BenchRow, ...] = ()

    def row(self, metric: str, begin: str) -> BenchRow | None:
        """Return the first row of a metric whose test begins so; one with a value before one without."""
        found = [row for row in self.bench if row.metric == metric and row.test.startswith(begin)]
        return next((row for row in found if row.value is not None), next(iter(found), None))


@dataclass(frozen=True)
class Link:
    """Another page: what it is about, and where it lies relative to the catalog."""

    title: str
    href: str
    note: str = ""


@dataclass(frozen=True)
class Catalog:
    """All models, on one engine and one machine."""

    entries: Sequence[Entry]
    machines: Sequence[Link]
    comparisons: Sequence[Link]
    generated: datetime
    version: str


@dataclass(frozen=True)
class Measured:
    """What the newest benchmark of a model on a machine gave."""

    model: str
    lock_digest: str
    engine_digest: str
    started: datetime
    rows: tuple[BenchRow, ...]
    page: str = ""


@dataclass(frozen=True)
class Machine:
    """One class of hardware: what it is, what it could do at most, and what was measured on it."""

    digest: str
    facts: tuple[Fact, ...]
    measured: tuple[Measured, ...]
    here: bool
    generated: datetime
    version: str
