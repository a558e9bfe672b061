"""Hold `assay bench` against llama-bench run by hand: in turns on a quiet machine, and with a neighbour that comes and goes.

Exit code 1 where the quiet medians differ by more than 2 %, or where a disturbed one that Assay gives as a number differs
from the quiet one by more than 3 %. Where the machine is never quiet, Assay says so and nothing is compared.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.bench.engine import engine_rows
from pipeline.bench.model import BenchRow
from pipeline.bench.stats import median, spread
from pipeline.core.host import hardware
from pipeline.runtime.build import EngineBuild, find_engine
from pipeline.spec.model import Bench, Engine

TINY_CHAT = Path(__file__).parent.parent / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
QUIET, DISTURBED = 0.02, 0.03


def by_assay(build: EngineBuild, model: Path, bench: Bench, threads: int) -> dict[str, BenchRow]:
    """Return the row of each test."""
    rows = engine_rows(build, model, Engine(), bench, threads=threads)
    return {row.test: row for row in rows if row.unit == "tok/s"}


def by_hand(build: EngineBuild, model: Path, bench: Bench, threads: int) -> dict[str, tuple[float, float]]:
    """Return for each test the median of llama-bench's own rates, and the mean that it prints."""
    lengths = ["-p", ",".join(map(str, bench.prefill)), "-n", ",".join(map(str, bench.decode))]
    how = f"-r {bench.repetitions} -t {threads} -ngl 0 -fa off -lm none -o json".split()
    argv = [str(build.tool("llama-bench")), "-m", str(model), *lengths, *how]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=build.environment)
    return {
        f"pp{test['n_prompt']}" if test["n_prompt"] else f"tg{test['n_gen']}": (
            median(test["samples_ts"]),
            test["avg_ts"],
        )
        for test in json.loads(done.stdout)
    }


@contextmanager
def neighbour(after: float, lasting: float) -> Iterator[None]:
    """Keep every core busy with something else from ``after`` seconds on, for ``lasting`` seconds, on purpose."""
    stop = threading.Event()

    def disturb() -> None:
        if stop.wait(after):
            return
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
        stop.wait(lasting)
        for process in busy:
            process.kill()
            process.wait()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def quiet(build: EngineBuild, model: Path, bench: Bench, threads: int, rounds: int) -> tuple[dict[str, float], bool]:
    """Run both in turns; returns our medians, and whether they agree with those by hand."""
    ours, hand = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    why: dict[str, str] = {}
    for _ in range(rounds):
        for test, row in by_assay(build, model, bench, threads).items():
            if row.value is None:
                why[test] = row.reason
            else:
                ours[test].append(row.value)
        for test, (value, _) in by_hand(build, model, bench, threads).items():
            hand[test].append(value)
    agree = True
    print(f"{'quiet':8} {'assay':>10} {'by hand':>10} {'ratio':>7} {'spread of the rounds':>22}")
    for test, values in hand.items():
        if not ours[test]:
            print(f"{test:8} {'-':>10} {median(values):10.1f}  assay: {why[test]}")
            continue
        ratio = median(ours[test]) / median(values)
        agree &= abs(ratio - 1) <= QUIET
        told = f"{test:8} {median(ours[test]):10.1f} {median(values):10.1f} {ratio:7.3f}"
        print(f"{told} {spread(ours[test]):10.3f} {spread(values):11.3f}")
    return {test: median(values) for test, values in ours.items() if values}, agree


def disturbed(
    build: EngineBuild, model: Path, bench: Bench, threads: int, normal: dict[str, float], after: float, lasting: float
) -> bool:
    """Run either side while a neighbour comes and goes; tells whether no number of ours is wrong."""
    with neighbour(after, lasting):
        ours = by_assay(build, model, bench, threads)
    with neighbour(after, lasting):
        hand = by_hand(build, model, bench, threads)
    right = True
    print(f"\n{'busy':8} {'assay':>10} {'of quiet':>9} {'left out':>9} {'llama-bench':>12} {'of quiet':>9}")
    for test, row in ours.items():
        everything = len(row.detail["repetitions"])
        base = normal.get(test)
        share = row.value / base if row.value is not None and base else None
        right &= share is None or abs(share - 1) <= DISTURBED
        value = "-" if row.value is None else f"{row.value:.1f}"
        mean = hand[test][1]
        said = f"{test:8} {value:>10} {'-' if share is None else f'{share:.3f}':>9}"
        print(
            f"{said} {everything - len(row.samples):4d}/{everything:<4d} {mean:12.1f} {'-' if not base else f'{mean / base:.3f}':>9}"
            f"  {row.reason}"
        )
    return right


def main() -> int:
    """Run both parts and print one line a test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", default=TINY_CHAT)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=128)
    parser.add_argument("--threads", type=int, default=hardware().physical_cores)
    parser.add_argument("--budget", type=float, default=30.0)
    parser.add_argument("--after", type=float, default=1.0, help="seconds until the neighbour comes")
    parser.add_argument("--lasting", type=float, default=5.0, help="seconds until it goes")
    args = parser.parse_args()
    build = find_engine()
    bench = Bench(prefill=(args.prefill,), decode=(args.decode,), repetitions=args.repetitions, budget=args.budget)
    print(f"load average {os.getloadavg()[0]:.1f}, {args.threads} threads, {args.model.name}\n")
    normal, agree = quiet(build, args.model, bench, args.threads, args.rounds)
    right = disturbed(build, args.model, bench, args.threads, normal, args.after, args.lasting)
    print("\nquiet medians", "agree within 2 %" if agree and normal else "were not found" if not normal else "DISAGREE")
    print("disturbed:", "no wrong number" if right else "A WRONG NUMBER")
    return 0 if agree and right else 1


if __name__ == "__main__":
    sys.exit(main())
