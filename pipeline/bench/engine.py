"""The engine's own speed: llama-bench, with every figure computed again from its raw samples.

llama-bench runs random token ids and neither samples nor detokenises, so it tells what the kernels can do; ``service``
tells what a user gets. Its own mean of rates and standard deviation are not used (the latter overflows).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from pipeline.bench.clock import process_cpu_seconds
from pipeline.bench.model import BenchRow
from pipeline.bench.stats import median, spread
from pipeline.core.errors import EngineError
from pipeline.core.proc import run
from pipeline.core.progress import SILENT, Progress, Task
from pipeline.spec.model import Bench, Engine

TIMEOUT_SECONDS = 6 * 3600.0
# Below this share of its cores a CPU-bound program had neighbours; above this ratio of fastest to slowest something
# changed meanwhile. Both only mark a row as noisy: the figures stay.
LEAST_CPU_SHARE = 0.95
MOST_SPREAD = 1.25

_STEP = re.compile(r"llama-bench: benchmark (\d+)/\d+: (prompt|generation) run (\d+)/\d+")
_KINDS = {"pp": ("prefill_tok_s", "n_prompt"), "tg": ("decode_tok_s", "n_gen")}


class Build(Protocol):
    """The llama.cpp to measure."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The whole environment for its programs."""

    def tool(self, name: str) -> Path:
        """Return the path of one of its programs."""


@dataclass
class _Watch:
    """Notes wall and CPU time whenever llama-bench says that a repetition begins or a test has ended."""

    task: Task
    pid: int = 0
    marks: list[tuple[float, float | None]] = field(default_factory=list)
    tests: list[list[tuple[float, float | None]]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def start(self, pid: int) -> None:
        self.pid = pid

    def on_stderr(self, line: str) -> None:
        if _STEP.search(line):
            self.marks.append(self._now())
            self.task.advance()

    def on_stdout(self, line: str) -> None:
        if line.strip():
            self.tests.append([*self.marks, self._now()])
            self.marks = []
            self.lines.append(line)

    def _now(self) -> tuple[float, float | None]:
        return time.monotonic(), process_cpu_seconds(self.pid)


def engine_rows(
    build: Build, model: Path, engine: Engine, bench: Bench, *, threads: int, progress: Progress = SILENT
) -> tuple[BenchRow, ...]:
    """Measure prefill and decode speed of ``model`` (tok/s), one row for each length, one sample a repetition.

    ``threads`` is used where the spec leaves the number open. Raises EngineError when llama-bench fails, when what it
    says cannot be read, or when it did not run what it was asked to.
    """
    prefill, decode = tuple(dict.fromkeys(bench.prefill)), tuple(dict.fromkeys(bench.decode))
    bench = bench.model_copy(update={"prefill": prefill, "decode": decode})
    argv = bench_argv(build.tool("llama-bench"), model, engine, bench, threads=threads)
    tests = len(prefill) + len(decode)
    with progress.task("llama-bench", tests * bench.repetitions, "runs") as task:
        watch = _Watch(task)
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
    results = [_parse(line) for line in watch.lines]
    _must_be_asked(results, engine, bench, threads)
    return tuple(
        _row(result, marks, offloaded=engine.gpu_layers > 0) for result, marks in zip(results, watch.tests, strict=True)
    )


def bench_argv(program: Path, model: Path, engine: Engine, bench: Bench, *, threads: int) -> tuple[str, ...]:
    """Return llama-bench's whole command line for the settings that the model is served with. Pure."""
    return (
        str(program),
        *("--model", str(model)),
        *("--n-prompt", ",".join(map(str, bench.prefill))),
        *("--n-gen", ",".join(map(str, bench.decode))),
        *("--repetitions", str(bench.repetitions)),
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


def _must_be_asked(results: list[dict[str, Any]], engine: Engine, bench: Bench, threads: int) -> None:
    """Check that what was run is what was asked for: a figure under other settings is worse than none."""
    wanted_tests = [(count, 0) for count in bench.prefill] + [(0, count) for count in bench.decode]
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
        f"{key}: asked for {value}, ran {result.get(key)}"
        for result in results[:1]
        for key, value in wanted.items()
        if result.get(key) != value
    ]
    ran = [(result.get("n_prompt"), result.get("n_gen")) for result in results]
    if sorted(wanted_tests) != sorted(ran):
        faults.append(f"tests (prompt, generated): asked for {wanted_tests}, ran {ran}")
    if any(len(result["samples_ns"]) != bench.repetitions for result in results):
        faults.append(f"repetitions: asked for {bench.repetitions}, ran {[len(r['samples_ns']) for r in results]}")
    if faults:
        raise EngineError(
            "llama-bench did not run what it was asked to\n  " + "\n  ".join(faults),
            hint="is this llama.cpp the pinned one? see: assay doctor",
        )


def _row(result: dict[str, Any], marks: list[tuple[float, float | None]], *, offloaded: bool) -> BenchRow:
    kind = "pp" if result["n_prompt"] else "tg"
    metric, key = _KINDS[kind]
    tokens = int(result[key])
    samples = tuple(tokens * 1e9 / ns for ns in result["samples_ns"])
    shares = [_share(one, two, result["n_threads"]) for one, two in pairwise(marks)]
    whole = _share(marks[0], marks[-1], result["n_threads"]) if len(marks) > 1 else None
    reasons = []
    if whole is not None and not offloaded and whole < LEAST_CPU_SHARE:
        reasons.append(f"its threads ran {whole:.0%} of the time: something else used the cores")
    if spread(samples) > MOST_SPREAD:
        reasons.append(f"the fastest repetition is {spread(samples):.2f} times the slowest")
    return BenchRow(
        layer="engine",
        test=f"{kind}{tokens}",
        metric=metric,
        value=median(samples),
        unit="tok/s",
        samples=samples,
        detail={
            "min": min(samples),
            "max": max(samples),
            "cpu_share": whole,
            "cpu_shares": shares,
            "noisy": bool(reasons),
            "noise": "; ".join(reasons),
            "threads": result["n_threads"],
            "backends": result.get("backends", ""),
            "gpu": result.get("gpu_info", ""),
            "build_commit": result.get("build_commit", ""),
        },
    )


def _share(begin: tuple[float, float | None], end: tuple[float, float | None], threads: int) -> float | None:
    """Return CPU time / (wall time x threads) between two marks: 1.0 when every thread ran all the time."""
    if begin[1] is None or end[1] is None or end[0] <= begin[0]:
        return None
    return (end[1] - begin[1]) / ((end[0] - begin[0]) * threads)
