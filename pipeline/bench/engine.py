"""The engine's own speed: llama-bench, with every figure computed again from its raw samples.

llama-bench runs random token ids and neither samples nor detokenises, so it tells what the kernels can do; ``service``
tells what a user gets. Its own mean of rates and standard deviation are not used (the latter overflows).

All tests run once; those whose repetitions don't count (``validity``), or differ too much (``series``), run again in a
fresh process until they are settled or the budget is spent. Then a test has a number, or is inconclusive.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.bench.gpu import GpuConditions, between_gpus, read_gpus
from pipeline.bench.llama_bench import NOT_PINNED, Build, Setting, bench_argv, must_be_asked, run_bench, settings_of
from pipeline.bench.model import BenchRow
from pipeline.bench.readings import Reading
from pipeline.bench.series import Repetition, Series, pooled
from pipeline.bench.stats import median
from pipeline.bench.validity import Conditions, between
from pipeline.core.errors import EngineError
from pipeline.core.progress import SILENT, Progress
from pipeline.spec.model import Bench, Engine

# A repetition shorter than this is judged by how its whole series ran.
SHORT_SECONDS = 0.05
# How many repetitions one process runs at most.
_MOST = 200

_METRICS = {"pp": "prefill_tok_s", "tg": "decode_tok_s"}


def engine_rows(
    build: Build, model: Path, engine: Engine, bench: Bench, *, threads: int, progress: Progress = SILENT
) -> tuple[BenchRow, ...]:
    """Measure prefill and decode speed of ``model`` (tok/s), one row for each length and depth, one sample for each
    repetition that counts.

    ``threads`` is used where the spec leaves the number open. Raises EngineError when llama-bench fails, when what it
    says cannot be read, or when it did not run what it was asked to.
    """
    series = {test: Series(bench.repetitions) for test in settings_of(bench)}
    about: dict[Setting, dict[str, Any]] = {}
    began, repetitions = time.monotonic(), bench.repetitions
    offloaded = engine.gpu_layers > 0
    while todo := [test for test, one in series.items() if one.wanted]:
        argv = bench_argv(build.tool("llama-bench"), model, engine, bench, todo, repetitions, threads=threads)
        gpus, _ = read_gpus() if offloaded else ((), "")
        results = run_bench(build, model, argv, len(todo) * repetitions, progress)
        fared = between_gpus(gpus, *read_gpus()) if offloaded else None
        for result, marks in results:
            test = must_be_asked(result, todo, engine, repetitions, threads)
            ran = repetitions_of(test, result, marks, offloaded=offloaded)
            series[test].repetitions += [_on_gpus(one, fared) for one in ran]
            series[test].rounds += 1
            about[test] = result | {"gpus": fared and fared.content()}
        if missing := [test.name for test in todo if test not in about]:
            raise EngineError(f"llama-bench did not run {', '.join(missing)}", hint=NOT_PINNED)
        if time.monotonic() - began > bench.budget and all(one.rounds for one in series.values()):
            break
        repetitions = min(_MOST, pooled([series[test] for test in todo]))
    return tuple(
        row
        for test, one in series.items()
        for row in (_row(test, one, about[test], began), _energy(test, one, offloaded))
    )


def unmeasured(bench: Bench, why: str) -> tuple[BenchRow, ...]:
    """Return the rows of what a spec asks to measure and llama-bench can't: without a value, each with the reason."""
    return tuple(
        BenchRow("engine", test.name, _METRICS[test.kind], None, "tok/s", (), why) for test in settings_of(bench)
    )


def repetitions_of(
    test: Setting, result: Mapping[str, Any], marks: Sequence[Reading], *, offloaded: bool
) -> list[Repetition]:
    """Return the repetitions of what llama-bench wrote of a test, each with how it ran: by itself, or as the whole series where it is
    short. ``marks``: the readings at each one's begin, and at the end of all. Between two, llama-bench also brings the context back.
    """
    ran, threads = [ns / 1e9 for ns in result["samples_ns"]], result["n_threads"]
    rates = [test.tokens * 1e9 / ns for ns in result["samples_ns"]]
    pairs = list(pairwise(marks))
    if len(pairs) != len(rates):  # it did not say when each began
        unknown = Conditions(0.0, against=("nobody knows how it ran: llama-bench did not say when it began",))
        return [Repetition(rate, unknown) for rate in rates]
    how = {"threads": threads, "offloaded": offloaded}
    whole = between(marks[0], marks[-1], **how, working=sum(ran))
    each = [between(one, two, **how, working=seconds) for (one, two), seconds in zip(pairs, ran, strict=True)]
    return [
        Repetition(rate, (one if seconds >= SHORT_SECONDS else whole).over(seconds), mark.wall)
        for rate, seconds, one, mark in zip(rates, ran, each, marks[:-1], strict=True)
    ]


def _on_gpus(one: Repetition, fared: GpuConditions | None) -> Repetition:
    """Return a repetition with what speaks against the whole run on GPUs, whose sensors are asked at its ends alone."""
    if fared is None or not fared.against:
        return one
    return replace(one, conditions=replace(one.conditions, against=one.conditions.against + fared.against))


def _row(test: Setting, series: Series, result: dict[str, Any], began: float) -> BenchRow:
    rates = series.valid or [one.rate for one in series.repetitions]
    everything = [one.rate for one in series.repetitions]
    shares = [one.conditions.share for one in series.repetitions]
    known = [share for share in shares if share is not None]
    why, remarks = series.inconclusive, series.remarks
    low, high = series.around or (None, None)
    return BenchRow(
        layer="engine",
        test=test.name,
        metric=_METRICS[test.kind],
        value=None if why else median(rates),
        unit="tok/s",
        samples=tuple(series.valid),
        reason=why,
        detail={
            "min": min(rates),
            "max": max(rates),
            "slowest": min(everything),
            "cpu_share": median(known) if known else None,
            "cpu_shares": shares,
            "repetitions": [
                {"rate": one.rate, "at": one.at and round(one.at - began, 4), **one.conditions.content()}
                for one in series.repetitions
            ],
            "rounds": series.rounds,
            "noisy": bool(remarks),
            "noise": "; ".join(remarks),
            "threads": result["n_threads"],
            "backends": result.get("backends", ""),
            "gpu": result.get("gpu_info", ""),
            "gpus": result["gpus"],
            "build_commit": result.get("build_commit", ""),
        },
        low=None if why else low,
        high=None if why else high,
        inconclusive=bool(why),
    )


def _energy(test: Setting, series: Series, offloaded: bool) -> BenchRow:
    """Return the energy per token of the repetitions that count: of the whole processor, idle cores included."""
    found = [
        one.conditions.joules / test.tokens
        for one in series.repetitions
        if one.conditions.valid and one.conditions.joules
    ]
    reason = series.inconclusive or ("" if found else "this machine has no such sensor, or it is root's alone")
    if offloaded:
        reason = "layers run on a GPU: the processors' counters tell a part of it; the GPUs' stand beside the speed"
    value = None if reason else median(found)
    return BenchRow("engine", test.name, "energy_per_token", value, "J", tuple(found), reason)
