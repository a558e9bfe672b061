"""llama-bench: the real one on a real model, and programs that behave as it might."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline.bench.engine import bench_argv, engine_rows
from pipeline.core.errors import EngineError
from pipeline.runtime.build import EngineBuild
from pipeline.spec.model import Bench, Engine

SMALL = Bench(prefill=(32, 16), decode=(8,), repetitions=3)
RESULT: dict[str, Any] = {
    "n_threads": 1,
    "n_batch": 2048,
    "n_ubatch": 512,
    "type_k": "f16",
    "type_v": "f16",
    "n_gpu_layers": 0,
    "flash_attn": 0,
    "n_prompt": 0,
    "n_gen": 8,
    "samples_ns": [4_000_000, 1_000_000, 2_000_000],
    "stddev_ns": 999,
    "avg_ts": 123.0,
}


@dataclass
class Scripted:
    """A llama-bench that is a shell script."""

    folder: Path
    script: str
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/bin:/bin"})

    def tool(self, name: str) -> Path:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{self.script}\n")
        path.chmod(0o755)
        return path


def says(*results: dict[str, Any], before: str = "") -> str:
    return before + "\n".join(f"echo '{json.dumps(result)}'" for result in results)


def one(tmp_path: Path, script: str, *, gpu_layers: int = 0) -> Any:
    engine, bench = Engine(threads=1, gpu_layers=gpu_layers), Bench(prefill=(), decode=(8,), repetitions=3)
    (row,) = engine_rows(Scripted(tmp_path, script), Path("model.gguf"), engine, bench, threads=1)
    return row


def test_the_real_engine(engine_build: EngineBuild, tiny_chat: Path) -> None:
    bench = Bench(prefill=(512, 256), decode=(96,), repetitions=3)  # long enough to take a share of
    rows = engine_rows(engine_build, tiny_chat, Engine(cache_type_k="q8_0"), bench, threads=1)
    assert [(row.test, row.metric) for row in rows] == [
        ("pp512", "prefill_tok_s"),
        ("pp256", "prefill_tok_s"),
        ("tg96", "decode_tok_s"),
    ]
    for row in rows:
        assert row.layer == "engine"
        assert row.value == sorted(row.samples)[1] > 0
        assert (row.detail["min"], row.detail["max"]) == (min(row.samples), max(row.samples))
        assert row.detail["threads"] == 1
        assert len(row.detail["cpu_shares"]) == 3
        assert 0 < row.detail["cpu_share"] < 1.2
        assert engine_build.identity.commit.startswith(row.detail["build_commit"])


def test_a_file_that_is_no_model(engine_build: EngineBuild, tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(60))
    with pytest.raises(
        EngineError, match=r"llama-bench failed on bad.gguf \(exit code 1\)\n(.|\n)*failed to load model"
    ):
        engine_rows(engine_build, tmp_path / "bad.gguf", Engine(), SMALL, threads=1)


def test_figures_come_from_the_samples_alone(tmp_path: Path) -> None:
    row = one(tmp_path, says(RESULT))
    assert row.samples == (2000.0, 8000.0, 4000.0)
    assert row.value == 4000.0
    assert (row.detail["min"], row.detail["max"]) == (2000.0, 8000.0)


def test_a_wide_spread_is_noise(tmp_path: Path) -> None:
    row = one(tmp_path, says(RESULT))
    assert row.detail["noisy"]
    assert "the fastest repetition is 4.00 times the slowest" in row.detail["noise"]


STEPS = "".join(
    f"echo 'llama-bench: benchmark 1/1: generation run {number}/3' >&2\nsleep 0.1\n" for number in (1, 2, 3)
)


def test_threads_that_had_to_wait_are_noise(tmp_path: Path) -> None:
    row = one(tmp_path, says({**RESULT, "samples_ns": [100, 100, 100]}, before=STEPS))
    assert row.detail["cpu_share"] < 0.5
    assert len(row.detail["cpu_shares"]) == 3
    assert row.detail["noisy"]
    assert "something else used the cores" in row.detail["noise"]


def test_a_gpus_host_may_wait(tmp_path: Path) -> None:
    offloaded = {**RESULT, "samples_ns": [100, 100, 100], "n_gpu_layers": 99}
    row = one(tmp_path, says(offloaded, before=STEPS), gpu_layers=99)
    assert (row.detail["noisy"], row.detail["noise"]) == (False, "")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"n_threads": 2}, "n_threads: asked for 1, ran 2"),
        ({"type_v": "q8_0"}, "type_v: asked for f16, ran q8_0"),
        ({"flash_attn": -1}, "flash_attn: asked for 0, ran -1"),
        ({"samples_ns": [1, 2]}, "repetitions: asked for 3, ran [2]"),
        ({"n_gen": 9}, "tests (prompt, generated): asked for [(0, 8)], ran [(0, 9)]"),
    ],
)
def test_figures_under_other_settings_are_refused(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    with pytest.raises(EngineError) as caught:
        one(tmp_path, says({**RESULT, **change}))
    assert fault in caught.value.message


@pytest.mark.parametrize("line", ["not json", "{}", "[1]", '{"samples_ns": [0]}', '{"samples_ns": 3}', "null"])
def test_a_line_that_is_no_result(tmp_path: Path, line: str) -> None:
    with pytest.raises(EngineError, match="a line that is no result"):
        one(tmp_path, f"echo '{line}'")


def test_no_results_at_all(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="did not run what it was asked to"):
        one(tmp_path, "true")


def test_a_build_for_another_cpu_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="killed by SIGILL") as caught:
        one(tmp_path, "kill -ILL $$")
    assert "built for another CPU" in caught.value.hint


def test_the_command_line_is_what_the_model_is_served_with() -> None:
    engine = Engine(threads=3, batch=64, micro_batch=32, cache_type_v="q8_0", flash_attention="on", load="mmap")
    argv = bench_argv(Path("llama-bench"), Path("m.gguf"), engine, SMALL, threads=9)
    said = dict(zip(argv[1::2], argv[2::2], strict=False))
    assert said["--threads"] == "3"
    assert said["--batch-size"] == "64"
    assert said["--ubatch-size"] == "32"
    assert said["--cache-type-v"] == "q8_0"
    assert said["--flash-attn"] == "on"
    assert said["--load-mode"] == "mmap"
    assert said["--n-prompt"] == "32,16"
    left_open = bench_argv(Path("llama-bench"), Path("m.gguf"), Engine(), SMALL, threads=9)
    assert left_open[left_open.index("--threads") + 1] == "9"
