"""llama-bench: the real one on a real model, and programs that behave as it might."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline.bench.engine import engine_rows, repetitions_of
from pipeline.bench.llama_bench import Setting, bench_argv, settings_of
from pipeline.bench.readings import Reading
from pipeline.bench.stats import median
from pipeline.core.errors import EngineError
from pipeline.runtime.build import EngineBuild
from pipeline.spec.model import Bench, Engine

SMALL = Bench(prefill=(32, 16), decode=(8,), repetitions=3, budget=0)
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
    "n_depth": 0,
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


def steps(pause: str, count: int = 3) -> str:
    """Shell commands of a llama-bench that says when each repetition begins."""
    return "".join(
        f"echo 'llama-bench: benchmark 1/1: generation run {i + 1}/{count}' >&2\n{pause}" for i in range(count)
    )


def one(tmp_path: Path, script: str, *, gpu_layers: int = 0, budget: float = 0) -> Any:
    engine, bench = (
        Engine(threads=1, gpu_layers=gpu_layers),
        Bench(prefill=(), decode=(8,), repetitions=3, budget=budget),
    )
    row, _ = engine_rows(Scripted(tmp_path, script), Path("model.gguf"), engine, bench, threads=1)
    return row


def test_the_real_engine(engine_build: EngineBuild, tiny_chat: Path) -> None:
    """Whether its figures count depends on what else this machine does; that they are judged doesn't."""
    bench = Bench(prefill=(512, 256), decode=(96,), depths=(0, 32), repetitions=3, budget=1)
    rows = engine_rows(engine_build, tiny_chat, Engine(cache_type_k="q8_0"), bench, threads=1)
    lengths = [("pp512", "prefill_tok_s"), ("pp256", "prefill_tok_s"), ("tg96", "decode_tok_s")]
    assert [(row.test, row.metric) for row in rows] == [
        (name + depth, each)
        for depth in ("", "+d32")
        for name, metric in lengths
        for each in (metric, "energy_per_token")
    ]
    for row in rows[1::2]:
        assert (row.value is None) == bool(row.reason)
    for row in rows[::2]:
        assert row.layer == "engine"
        judged = row.detail["repetitions"]
        counting = [each["rate"] for each in judged if not each["against"]]
        assert len(judged) >= 3
        assert list(row.samples) == counting
        begins = [each["at"] for each in judged]
        assert begins[0] > 0.0 and begins == sorted(begins)
        if row.inconclusive:
            assert (row.value, row.low, row.high) == (None, None, None)
            assert row.reason.startswith("inconclusive: ")
        else:
            assert row.value == median(counting)
            assert row.low is not None and row.high is not None
            assert row.low <= row.value <= row.high
        assert row.detail["slowest"] == min(each["rate"] for each in judged)
        assert row.detail["threads"] == 1
        assert 0 < row.detail["cpu_share"] < 1.2
        assert engine_build.identity.commit.startswith(row.detail["build_commit"])


def test_a_file_that_is_no_model(engine_build: EngineBuild, tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(60))
    with pytest.raises(
        EngineError, match=r"llama-bench failed on bad.gguf \(exit code 1\)\n(.|\n)*failed to load model"
    ):
        engine_rows(engine_build, tmp_path / "bad.gguf", Engine(), SMALL, threads=1)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the hypervisor of this machine gives to others."""
    monkeypatch.setattr("pipeline.bench.validity.MOST_STOLEN", math.inf)


@pytest.mark.usefixtures("alone")
def test_figures_come_from_the_samples_alone(tmp_path: Path) -> None:
    """On a GPU's host, so that waiting for it does not count against the repetitions."""
    same = {**RESULT, "samples_ns": [200_000_000, 200_500_000, 199_500_000], "n_gpu_layers": 9}
    row = one(tmp_path, says(same, before=steps("sleep 0.2\n")), gpu_layers=9)
    assert row.samples == tuple(8e9 / ns for ns in same["samples_ns"])
    assert row.value == 40.0
    assert (row.detail["min"], row.detail["max"]) == (min(row.samples), max(row.samples))
    assert not row.inconclusive


@pytest.mark.usefixtures("alone")
def test_repetitions_that_differ_come_to_no_number(tmp_path: Path) -> None:
    row = one(tmp_path, says({**RESULT, "n_gpu_layers": 9}, before=steps("sleep 0.2\n")), gpu_layers=9)
    assert (row.value, row.low, row.inconclusive) == (None, None, True)
    assert "differ too much" in row.reason
    assert len(row.samples) == 3


def test_threads_that_had_to_wait_come_to_no_number(tmp_path: Path) -> None:
    steady = {**RESULT, "samples_ns": [100, 100, 100]}
    row = one(tmp_path, says(steady, before=steps("sleep 0.1\n")))
    assert row.value is None
    assert "0 of 3 repetitions count, 3 are wanted" in row.reason
    assert "something else used the cores" in row.reason
    assert row.detail["slowest"] == 8e7
    assert row.samples == ()


def test_a_repetition_that_nobody_saw_does_not_count(tmp_path: Path) -> None:
    assert "nobody knows how it ran" in one(tmp_path, says(RESULT)).reason


@pytest.mark.usefixtures("alone")
def test_what_does_not_count_is_run_again_until_the_budget_is_spent(tmp_path: Path) -> None:
    """The script keeps its one core from work in its first run, and not in its second."""
    bad, good = says({**RESULT, "samples_ns": [90_000_000] * 3, "n_gpu_layers": 9}), {**RESULT, "n_gpu_layers": 9}
    again = says({**good, "samples_ns": [200_000_000] * 3}, before=steps("sleep 0.2\n"))
    row = one(tmp_path, f"if mkdir {tmp_path}/ran 2>/dev/null; then {bad}\nelse {again}\nfi", gpu_layers=9, budget=30)
    assert row.value == 40.0
    assert (row.detail["rounds"], len(row.detail["repetitions"]), len(row.samples)) == (2, 6, 3)
    assert "3 of 6 repetitions were left out" in row.detail["noise"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"n_threads": 2}, "n_threads: asked for 1, ran 2"),
        ({"type_v": "q8_0"}, "type_v: asked for f16, ran q8_0"),
        ({"flash_attn": -1}, "flash_attn: asked for 0, ran -1"),
        ({"samples_ns": [1, 2]}, "repetitions: asked for 3, ran 2"),
        ({"n_gen": 9}, "tests: asked for tg8, ran tg9"),
        ({"n_depth": 64}, "tests: asked for tg8, ran tg8+d64"),
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
    with pytest.raises(EngineError, match="did not run tg8"):
        one(tmp_path, "true")


def test_a_build_for_another_cpu_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="killed by SIGILL") as caught:
        one(tmp_path, "kill -ILL $$")
    assert "built for another CPU" in caught.value.hint


def test_the_command_line_is_what_the_model_is_served_with() -> None:
    engine = Engine(threads=3, batch=64, micro_batch=32, cache_type_v="q8_0", flash_attention="on", load="mmap")
    tests = settings_of(SMALL)
    argv = bench_argv(Path("llama-bench"), Path("m.gguf"), engine, SMALL, tests, 7, threads=9)
    said = dict(zip(argv[1::2], argv[2::2], strict=False))
    assert said["--threads"] == "3"
    assert said["--batch-size"] == "64"
    assert said["--ubatch-size"] == "32"
    assert said["--cache-type-v"] == "q8_0"
    assert said["--flash-attn"] == "on"
    assert said["--load-mode"] == "mmap"
    assert (said["--n-prompt"], said["--n-gen"], said["--n-depth"]) == ("16,32", "8", "0")
    assert said["--repetitions"] == "7"
    left_open = bench_argv(Path("llama-bench"), Path("m.gguf"), Engine(), SMALL, tests[:1], 3, threads=9)
    assert left_open[left_open.index("--threads") + 1] == "9"
    assert left_open[left_open.index("--n-gen") + 1] == "0"


def test_each_test_is_there_once() -> None:
    bench = Bench(prefill=(8, 8), decode=(4,), depths=(0, 16))
    assert [test.name for test in settings_of(bench)] == ["pp8", "tg4", "pp8+d16", "tg4+d16"]
    assert Setting("pp", 8).name == "pp8"


def test_the_context_that_is_brought_back_between_two_repetitions_is_not_held_against_them() -> None:
    """Eight threads work for 3.2 s, and one for 0.3 s in between."""
    marks = [Reading(0.0, 0.0, joules=0.0), Reading(3.5, 25.9, joules=70.0), Reading(6.7, 51.5, joules=134.0)]
    said = {"samples_ns": [3_200_000_000] * 2, "n_threads": 8}
    one, two = repetitions_of(Setting("tg", 32, 8192), said, marks, offloaded=False)
    assert one.rate == two.rate == 10.0
    assert [each.conditions.share for each in (one, two)] == [pytest.approx(1.0)] * 2
    assert one.conditions.valid and one.conditions.seconds == 3.2 and one.conditions.joules == pytest.approx(64.0)
