"""How fast choices are scored, how exactly, and in how much memory; exit code 1 if a promise is not kept.

Against naive decoding (one sequence a decode, as most tools do), on one thread, in CPU time, so that a busy machine changes
little; in F32 against the same; with items from 100 to 10 000. Then how much sooner answers come when all slots of the
server are used, beside one request at a time. With --harness, a Python that has lm-eval and
llama-cpp-python[server], also against lm-eval on llama_cpp.server, which takes a minute an item.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline.core.progress import SILENT
from pipeline.evals.choices import Question, measure_choices
from pipeline.runtime.binding import Scorer
from pipeline.runtime.build import find_engine
from pipeline.runtime.packing import Group
from pipeline.runtime.params import Listen
from pipeline.runtime.server import started
from pipeline.runtime.serving import Request, Serving
from tests.projects import free_port

ROOT = Path(__file__).parent.parent
TINY = ROOT / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
GEMMA = ROOT / "models" / "real" / "gemma-3-270m-q4_k_m.gguf"
ITEMS = ROOT / "evals" / "general-choice" / "items.jsonl"
LEAST = {0: 4.0, 5: 12.0}  # times the naive rate, by the number of examples
SLOTS, SOONER, TOKENS = 8, 1.8, 48
GROWTH, MEMORY = (100, 1000, 10_000), 64 << 20


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in ITEMS.read_text().splitlines()]


def groups(scorer: Scorer, count: int, shots: int) -> list[Group]:
    """Return items as groups, with so many others in front of each."""
    every = rows()
    before = "".join(
        f"Question: {r['question']}\nAnswer: {r['choices'][r['answer']]}\n\n" for r in every[count:][:shots]
    )
    asked = [(f"{before}Question: {r['question']}\nAnswer:", [f" {c}" for c in r["choices"]]) for r in every[:count]]
    return [scorer.group(context, choices) for context, choices in asked]


def timed(scorer: Scorer, asked: Sequence[Group]) -> tuple[float, float, list[list[float]]]:
    """Return items a CPU second, items a second, and the sums of all choices."""
    cpu, wall = time.process_time(), time.monotonic()
    sums = [[sum(score) for score in scores] for scores in scorer.score(asked)]
    return len(asked) / (time.process_time() - cpu), len(asked) / (time.monotonic() - wall), sums


def largest(one: list[list[float]], other: list[list[float]]) -> float:
    return max(abs(a - b) for mine, its in zip(one, other, strict=True) for a, b in zip(mine, its, strict=True))


def rates(model: Path, count: int, naive_count: int) -> bool:
    """Print the rates of packed and naive scoring; returns whether the ratios are what is promised."""
    kept = True
    print(f"{model.name}, one thread: items a CPU second (a second)")
    for shots, least in LEAST.items():
        with Scorer(model, threads=1) as packed:
            asked = groups(packed, count, shots)
            rate, wall, sums = timed(packed, asked)
        with Scorer(model, threads=1, pack=False) as naive:
            slow, slow_wall, alone = timed(naive, asked[:naive_count])
        flips = sum(
            max(range(len(a)), key=a.__getitem__) != max(range(len(b)), key=b.__getitem__)
            for a, b in zip(sums, alone, strict=False)
        )
        kept &= rate / slow >= least
        print(
            f"  {shots}-shot: packed {rate:7.2f} ({wall:.2f}), naive {slow:6.2f} ({slow_wall:.2f}), ratio {rate / slow:5.1f}"
            f" (promised {least:g}); sums differ by {largest(sums[:naive_count], alone):.3f} nats at most,"
            f" {flips} of {naive_count} answers"
        )
    return kept


def exactness(model: Path, folder: Path, count: int) -> bool:
    """Print how packed and naive sums differ where weights and KV cache are F32."""
    engine, exact = find_engine(), folder / "f32.gguf"
    argv: list[str | Path] = [engine.tool("llama-quantize"), "--allow-requantize", model, exact, "F32"]
    subprocess.run(argv, env=engine.environment, capture_output=True, check=True)
    with Scorer(exact, threads=1, exact=True) as packed, Scorer(exact, threads=1, exact=True, pack=False) as naive:
        moved = [
            largest(timed(packed, asked)[2], timed(naive, asked)[2])
            for asked in (groups(packed, count, s) for s in LEAST)
        ]
    exact.unlink()
    print(f"{model.name} in F32: sums differ from naive ones by {max(moved):.6f} nats at most (promised 0.01)")
    return max(moved) < 0.01


def growth(folder: Path) -> bool:
    """Print time and memory as items grow, each number in a process of its own."""
    found = []
    for count in GROWTH:
        argv = [sys.executable, __file__, "--child", str(count)]
        said = json.loads(subprocess.run(argv, capture_output=True, check=True, text=True).stdout)
        found.append((count, said["cpu"], said["peak"], said["score"]))
        print(
            f"{TINY.name}, {count:6} items: {said['cpu'] / count * 1000:6.2f} ms CPU an item, {said['peak'] >> 20} MiB at"
            f" most, of which {said['score'] >> 20} MiB since the model was loaded"
        )
    (few, cheap, _, small), (many, dear, _, big) = found[0], found[-1]
    return bool(dear / many < 1.5 * cheap / few and big - small < MEMORY)


def child(count: int) -> None:
    """Score ``count`` made-up items, as a suite does, and print what it took."""
    every = rows()
    with Scorer(TINY, threads=1) as scorer:
        loaded, cpu = peak(), time.process_time()
        made = (
            Question(
                str(i),
                "s",
                f"Question {i}: {every[i % len(every)]['question']}\nAnswer:",
                tuple(f" {choice}" for choice in every[i % len(every)]["choices"]),
                tuple(every[i % len(every)]["choices"]),
                (every[i % len(every)]["answer"],),
            )
            for i in range(count)
        )
        measure_choices(made, count, scorer, SILENT)
        print(json.dumps({"cpu": time.process_time() - cpu, "peak": peak(), "score": peak() - loaded}))


def peak() -> int:
    """Return the most memory that this program had resident, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


def generation(model: Path, count: int, threads: int) -> bool:
    """Let llama-server answer ``count`` questions, one after the other and in all its slots at once. One thread is compared
    by CPU time, as neighbours change it little; more are compared by the clock."""
    build = find_engine()
    asked = [
        Request(
            {"prompt": f"Question: {row['question']}\nAnswer:", "max_tokens": TOKENS, "temperature": 0.0, **_FRESH},
            True,
        )
        for row in rows()[:count]
    ]

    def argv(listen: Listen, key_file: Path) -> tuple[str, ...]:
        sizes = ("--ctx-size", str(512 * SLOTS), "--parallel", str(SLOTS), "--threads", str(threads))
        return ("--model", str(model), *sizes, *listen.argv(), "--api-key-file", str(key_file), "--offline")

    found = []
    with started((str(build.server),), build.environment, argv, 600.0) as server:
        serving = Serving(server.client, model.name, slots=SLOTS)
        serving.answers(asked[:SLOTS], task=_Nothing())
        for at_once in (1, SLOTS):
            cpu, wall = cpu_of(server.pid), time.monotonic()
            answers = serving.answers(asked, at_once=at_once, task=_Nothing())
            tokens = sum(answer.tokens or 0 for answer in answers)
            found.append((tokens / (cpu_of(server.pid) - cpu), tokens / (time.monotonic() - wall)))
    (alone, alone_wall), (shared, shared_wall) = found
    by_cpu, by_clock = shared / alone, shared_wall / alone_wall
    print(
        f"{model.name}, {threads} threads, {count} answers of {TOKENS} tokens: {SLOTS} at once {shared:.1f} tokens a CPU"
        f" second ({shared_wall:.1f} a second), one at a time {alone:.1f} ({alone_wall:.1f}), ratio {by_cpu:.1f}"
        f" ({by_clock:.1f}; promised {SOONER:g})"
    )
    return (by_cpu if threads == 1 else by_clock) >= SOONER


_FRESH = {"cache_prompt": False, "ignore_eos": True}


class _Nothing:
    def advance(self, amount: int = 1) -> None:
        pass


TASK = """\
task: choices
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
output_type: multiple_choice
test_split: test
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_choice: choices
doc_to_target: answer
metric_list: [{metric: acc}]
"""


def harness(python: Path, model: Path, folder: Path, count: int) -> bool:
    """Let lm-eval score ``count`` items through llama_cpp.server, and us the same; compare CPU time."""
    (folder / "items.jsonl").write_text("\n".join(json.dumps(row) for row in rows()[:count]))
    (folder / "task.yaml").write_text(TASK.replace("DATA", str(folder / "items.jsonl")))
    port = free_port()
    options = ["--logits_all", "true", "--n_ctx", "256", "--n_threads", "1", "--port", str(port), "--model", str(model)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "hf")}
    server = subprocess.Popen(
        [python, "-m", "llama_cpp.server", *options],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if server.poll() is not None:
                    print("llama_cpp.server did not start")
                    return False
                time.sleep(0.5)
        before = cpu_of(server.pid)
        argv = [str(python), "-m", "lm_eval", "--model", "gguf", "--model_args", f"base_url=http://127.0.0.1:{port}"]
        began = time.monotonic()
        done = subprocess.run(
            [*argv, "--tasks", str(folder / "task.yaml")],
            env=environment,
            capture_output=True,
            text=True,
        )
        wall, cpu = (time.monotonic() - began) / count, (cpu_of(server.pid) - before) / count
    finally:
        server.kill()
        server.wait()
    if done.returncode:
        print(f"lm-eval failed: {done.stderr[-500:]}")
        return False
    with Scorer(model, threads=1) as packed:
        rate, _, _ = timed(packed, groups(packed, 48, 0))
    print(
        f"{model.name}, {count} items by lm-eval on llama_cpp.server: {cpu:.1f} s CPU an item ({wall:.1f} s);"
        f" packed {1 / rate:.3f} s, ratio {cpu * rate:.0f} (promised 300)"
    )
    return cpu * rate >= 300


def cpu_of(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Run it all and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", default=GEMMA if GEMMA.is_file() else TINY)
    parser.add_argument("--items", type=int, default=48)
    parser.add_argument("--naive-items", type=int, default=12)
    parser.add_argument("--harness", type=Path, help="a Python with lm-eval and llama-cpp-python[server]")
    parser.add_argument("--harness-items", type=int, default=3)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child)
        return 0
    print(f"load when this began: {os.getloadavg()[0]:.2f}, {os.cpu_count()} CPUs")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        kept = [
            rates(args.model, args.items, args.naive_items),
            exactness(args.model, folder, args.naive_items),
            *(generation(args.model, args.items, threads) for threads in sorted({1, os.cpu_count() or 1})),
            growth(folder),
        ]
        if args.harness:
            kept.append(harness(args.harness, args.model, folder, args.harness_items))
    print(f"load when this ended: {os.getloadavg()[0]:.2f}")
    print("every promise is kept" if all(kept) else "a promise is NOT kept")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
