"""The engine's own speed: llama-bench, with every figure computed again from its raw samples.

llama-bench runs random token ids and neither samples nor detokenises, so it tells what the kernels can do; ``service``
tells what a user gets. Its own mean of rates and standard deviation are not used (the latter overflows).

All tests run once; those whose repetitions don't count (``validity``), or differ too much (``series``), run again in a
fresh process until they are settled or the budget is spent. Then a test has a number, or is inconclusive.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from pipeline.bench.gpu import GpuConditions, between_gpus, read_gpus
from pipeline.bench.model import BenchRow
from pipeline.bench.readings import Reading, read
from pipeline.bench.series import Repetition, Series, pooled
from pipeline.bench.stats import median
from pipeline.bench.validity import Conditions, between
from pipeline.core.errors import EngineError
from pipeline.core.proc import run
from pipeline.core.progress import SILENT, Progress, Task
from pipeline.spec.model import Bench, Engine

TIMEOUT_SECONDS = 6 * 3600.0
# A repetition shorter than this is judged by how its whole series ran.
SHORT_SECONDS = 0.05

_STEP = re.compile(r"llama-bench: benchmark (\d+)/\d+: (prompt|generation) run (\d+)/\d+")
_METRICS = {"pp": "prefill_tok_s", "tg": "decode_tok_s"}


@dataclass(frozen=True, order=True)
class Setting:
    """What llama-bench measures: ``tokens`` of prefill (``pp``) or decode (``tg``) behind ``depth`` tokens of context."""

    kind: str
    tokens: int
    depth: int = 0

    @property
    def name(self) -> str:
        """``pp512``, or ``tg64+d1024`` behind 1024 tokens."""
        return f"{self.kind}{self.tokens}" + (f"+d{self.depth}" if self.depth else "")


class Build(Protocol):
    """The llama.cpp to measure."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The whole environment for its programs."""

    def tool(self, name: str) -> Path:
        """Return the path of one of its programs."""


@dataclass
class Watch:
    """Reads the machine's counters whenever llama-bench says that a repetition begins or a test has ended. ``tests`` and ``lines``: the
    readings of each test and the line that it wrote, which is JSON.
    """

    task: Task
    pid: int = 0
    marks: list[Reading] = field(default_factory=list)
    tests: list[list[Reading]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def start(self, pid: int) -> None:
        self.pid = pid

    def on_stderr(self, line: str) -> None:
        if _STEP.search(line):
            self.marks.append(read(self.pid))
            self.task.advance()

    def on_stdout(self, line: str) -> None:
        if line.strip():
            self.tests.append([*self.marks, read(self.pid)])
            self.marks = []
            self.lines.append(line)


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
        results = _run(build, model, argv, len(todo) * repetitions, progress)
        fared = between_gpus(gpus, *read_gpus()) if offloaded else None
        for result, marks in results:
            test = _must_be_asked(result, todo, engine, repetitions, threads)
            ran = repetitions_of(test, result, marks, offloaded=offloaded)
            series[test].repetitions += [_on_gpus(one, fared) for one in ran]
            series[test].rounds += 1
            about[test] = result | {"gpus": fared and fared.content()}
        if missing := [test.name for test in todo if test not in about]:
            raise EngineError(f"llama-bench did not run {', '.join(missing)}", hint=_NOT_PINNED)
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


def settings_of(bench: Bench) -> list[Setting]:
    """Return what a spec asks to measure, each once, in the order that it is written."""
    wanted = [("pp", tokens) for tokens in bench.prefill] + [("tg", tokens) for tokens in bench.decode]
    return list(dict.fromkeys(Setting(kind, tokens, depth) for depth in bench.depths for kind, tokens in wanted))


def bench_argv(
    program: Path,
    model: Path,
    engine: Engine,
    bench: Bench,
    tests: Sequence[Setting],
    repetitions: int,
    *,
    threads: int,
) -> tuple[str, ...]:
    """Return llama-bench's whole command line for the settings that the model is served with. Pure. Every combination of
    the tests' lengths and depths is run, which may be more than was asked for.
    """
    lengths = {kind: sorted({test.tokens for test in tests if test.kind == kind}) for kind in ("pp", "tg")}
    return (
        str(program),
        *("--model", str(model)),
        *("--n-prompt", ",".join(map(str, lengths["pp"])) or "0"),
        *("--n-gen", ",".join(map(str, lengths["tg"])) or "0"),
        *("--n-depth", ",".join(map(str, sorted({test.depth for test in tests})))),
        *("--repetitions", str(repetitions)),
        *("--threads", str(engine.threads or threads)),
        *("--batch-size", str(engine.batch)),
        *("--ubatch-size", str(engine.micro_batch)),
        *("--cache-type-k", engine.cache_type_k),
        *("--cache-type-v", engine.cache_type_v),
        *("--flash-attn", engine.flash_attention),
        *("--n-gpu-layers", str(engine.gpu_layers)),
        *("--load-mode", {"copy": "none", "mmap": "mmap"}[engine.load]),
        *("--output", "jsonl"),
        "--progress",
        "--offline",
    )


def _run(
    build: Build, model: Path, argv: tuple[str, ...], steps: int, progress: Progress
) -> list[tuple[dict[str, Any], list[Reading]]]:
    """Run llama-bench once; returns each test's result with the readings at each repetition's begin and at the end."""
    with progress.task("llama-bench", steps, "runs") as task:
        watch = Watch(task)
        done = run(
            argv,
            env=build.environment,
            timeout=TIMEOUT_SECONDS,
            on_start=watch.start,
            on_stdout=watch.on_stdout,
            on_stderr=watch.on_stderr,
        )
    if done.returncode != 0:
        raise EngineError(
            f"llama-bench failed on {model.name} ({done.ending})\n{_own_words(done.stderr)}".rstrip(),
            hint=_HINTS.get(done.ending, "run it by hand: " + " ".join(argv)),
        )
    return [(_parse(line), marks) for line, marks in zip(watch.lines, watch.tests, strict=True)]


_MOST = 200
_NOT_PINNED = "is this llama.cpp the pinned one? see: assay doctor"
_HINTS = {
    "killed by SIGILL": "this llama.cpp was built for another CPU: build it again on this machine",
    "killed by SIGKILL": "was there enough memory? see dmesg",
}


def _own_words(stderr: str) -> str:
    return "\n".join([line for line in stderr.splitlines() if ": benchmark " not in line][-15:])


def _parse(line: str) -> dict[str, Any]:
    try:
        result = json.loads(line)
        samples = result["samples_ns"]
        if not all(isinstance(ns, int) and ns > 0 for ns in samples):
            raise ValueError("samples_ns must be positive integers")
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"llama-bench wrote a line that is no result: {line[:200]!r} ({error})",
            hint="is this llama.cpp the pinned one? see: assay doctor",
        ) from error
    return dict(result)


def _must_be_asked(
    result: dict[str, Any], tests: Sequence[Setting], engine: Engine, repetitions: int, threads: int
) -> Setting:
    """Return the test that a result is of. Raises EngineError unless it was run as asked for: a figure under other
    settings is worse than none.
    """
    wanted = {
        "n_threads": engine.threads or threads,
        "n_batch": engine.batch,
        "n_ubatch": engine.micro_batch,
        "type_k": engine.cache_type_k,
        "type_v": engine.cache_type_v,
        "n_gpu_layers": engine.gpu_layers,
        "flash_attn": {"off": 0, "on": 1}[engine.flash_attention],
    }
    faults = [
        f"{key}: asked for {value}, ran {result.get(key)}" for key, value in wanted.items() if result.get(key) != value
    ]
    prompt, generated, depth = (result.get(key) or 0 for key in ("n_prompt", "n_gen", "n_depth"))
    ran = Setting("pp" if prompt else "tg", prompt or generated, depth)
    if ran not in tests:
        faults.append(f"tests: asked for {', '.join(test.name for test in tests)}, ran {ran.name}")
    if len(result["samples_ns"]) != repetitions:
        faults.append(f"repetitions: asked for {repetitions}, ran {len(result['samples_ns'])}")
    if faults:
        raise EngineError("llama-bench did not run what it was asked to\n  " + "\n  ".join(faults), hint=_NOT_PINNED)
    return ran


def repetitions_of(
    test: Setting, result: Mapping[str, Any], marks: Sequence[Reading], *, offloaded: bool
) -> list[Repetition]:
    """Return the repetitions of what llama-bench wrote of a test, each with how it ran: by itself, or as the whole series where it is
    short. ``marks``: the readings at each one's begin, and at the end of all. Between two, llama-bench also brings the context back.
    """
    ran, threads = [ns / 1e9 for ns in result["samples_ns"]], result["n_threads"]
    rates = [test.tokens / seconds for seconds in ran]
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
