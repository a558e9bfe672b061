"""llama-bench, the program: what it is asked, how the machine fared meanwhile, and what it says.

Its repetitions are counted by what it writes to stderr as each begins, and one line of JSON for each test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pipeline.bench.readings import Reading, read
from pipeline.core.errors import EngineError
from pipeline.core.proc import run
from pipeline.core.progress import Progress, Task
from pipeline.spec.model import Bench, Engine

TIMEOUT_SECONDS = 6 * 3600.0

NOT_PINNED = "is this llama.cpp the pinned one? see: assay doctor"
_HINTS = {
    "killed by SIGILL": "this llama.cpp was built for another CPU: build it again on this machine",
    "killed by SIGKILL": "was there enough memory? see dmesg",
}
_STEP = re.compile(r"llama-bench: benchmark (\d+)/\d+: (prompt|generation) run (\d+)/\d+")


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


def run_bench(
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
            hint=NOT_PINNED,
        ) from error
    return dict(result)


def must_be_asked(
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
        raise EngineError("llama-bench did not run what it was asked to\n  " + "\n  ".join(faults), hint=NOT_PINNED)
    return ran
