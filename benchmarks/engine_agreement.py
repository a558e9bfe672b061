"""Compare Assay's engine figures with llama-bench run by hand on one file, in turns; exit code 1 if they differ."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from pipeline.bench.engine import engine_rows
from pipeline.bench.stats import median, spread
from pipeline.core.host import hardware
from pipeline.runtime.build import EngineBuild, find_engine
from pipeline.spec.model import Bench, Engine

TINY_CHAT = Path(__file__).parent.parent / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"


def by_assay(build: EngineBuild, model: Path, bench: Bench, threads: int) -> dict[str, tuple[float, bool]]:
    """Return (tok/s, noisy) for each test."""
    rows = engine_rows(build, model, Engine(), bench, threads=threads)
    return {row.test: (row.value or 0.0, bool(row.detail["noisy"])) for row in rows}


def by_hand(build: EngineBuild, model: Path, bench: Bench, threads: int) -> dict[str, float]:
    """Return tok/s for each test, as the median of llama-bench's own rates."""
    lengths = ["-p", ",".join(map(str, bench.prefill)), "-n", ",".join(map(str, bench.decode))]
    settings = [
        "-r",
        str(bench.repetitions),
        "-t",
        str(threads),
        "-ngl",
        "0",
        "-fa",
        "off",
        "-lm",
        "none",
        "-o",
        "json",
    ]
    argv = [str(build.tool("llama-bench")), "-m", str(model), *lengths, *settings]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=build.environment)
    return {
        f"pp{test['n_prompt']}" if test["n_prompt"] else f"tg{test['n_gen']}": median(test["samples_ts"])
        for test in json.loads(done.stdout)
    }


def main() -> int:
    """Run the rounds and print one line a test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", default=TINY_CHAT)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--prefill", type=int, default=128)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--threads", type=int, default=hardware().physical_cores)
    args = parser.parse_args()
    build = find_engine()
    bench = Bench(prefill=(args.prefill,), decode=(args.decode,), repetitions=args.repetitions)
    ours, hand = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    noisy: dict[str, int] = defaultdict(int)
    for _ in range(args.rounds):
        for test, (value, noise) in by_assay(build, args.model, bench, args.threads).items():
            ours[test].append(value)
            noisy[test] += noise
        for test, value in by_hand(build, args.model, bench, args.threads).items():
            hand[test].append(value)
    agree = True
    print(f"{'test':8} {'assay':>10} {'by hand':>10} {'ratio':>7} {'spread of the rounds':>22} {'noisy':>7}")
    for test in ours:
        ratio = median(ours[test]) / median(hand[test])
        widest = max(spread(ours[test]), spread(hand[test]))
        agree &= 1 / widest <= ratio <= widest
        print(
            f"{test:8} {median(ours[test]):10.1f} {median(hand[test]):10.1f} {ratio:7.3f}"
            f" {spread(ours[test]):10.3f} {spread(hand[test]):11.3f} {noisy[test]:4d}/{args.rounds}"
        )
    print("they agree within the spread" if agree else "they DISAGREE by more than the rounds' spread")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
