"""Hold `assay bench` against llama-bench run by hand: in turns on a quiet machine, and with a neighbour that comes and goes.

On the quiet machine the ratio of the two, round by round, must lie within 2 % with its whole 95 % interval: a machine whose own
speed changes takes more rounds to tell. With the neighbour, Assay must give no number, or one within 3 % of the quiet one just
before. Exit code 1 unless both hold.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from _measure import Pairs, told

from pipeline.bench.engine import engine_rows, settings_of
from pipeline.bench.model import BenchRow
from pipeline.bench.stats import median, spread
from pipeline.core.host import hardware
from pipeline.runtime.build import EngineBuild, find_engine
from pipeline.spec.model import Bench, Engine

TINY_CHAT = Path(__file__).parent.parent / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
QUIET, DISTURBED = 0.02, 0.03
FEWEST_HERE = 2
BUDGET = 5.0


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


def quiet(build: EngineBuild, model: Path, bench: Bench, threads: int, rounds: int) -> str:
    """Run both in turns; tells whether ours and those by hand agree."""
    pairs, why = defaultdict[str, Pairs](Pairs), dict[str, str]()
    for number in range(rounds):
        first = by_hand(build, model, bench, threads) if number % 2 else None
        ours = by_assay(build, model, bench, threads)
        hand = first or by_hand(build, model, bench, threads)
        for name, row in ours.items():
            if len(row.samples) < FEWEST_HERE:
                why[name] = row.reason
            else:  # a round's few repetitions may leave Assay inconclusive: it is their median over all rounds that is compared
                pairs[name].add(median(row.samples), hand[name][0])
    print(f"{'quiet':8} {'assay':>10} {'by hand':>10} {TITLES}   spread of each")
    verdicts = []
    for name in (test.name for test in settings_of(bench)):
        both = pairs[name]
        verdicts.append(told(both.ratio, 1 - QUIET, 1 + QUIET) if both.first else "not told")
        if both.first:
            apart = f"{spread(both.first):.2f} {spread(both.second):.2f}"
            medians = f"{median(both.first):10.1f} {median(both.second):10.1f}"
            print(f"{name:8} {medians} {ratio(both)}   {apart}", flush=True)
        else:
            print(f"{name:8} assay: {why.get(name)}")
    return worst(verdicts)


def disturbed(
    build: EngineBuild, model: Path, bench: Bench, threads: int, rounds: int, after: float, lasting: float
) -> str:
    """Run either side while a neighbour comes and goes, and ours without one just before; tells whether our numbers hold."""
    longer = bench.model_copy(update={"budget": bench.budget + after + lasting})
    ours, hand = defaultdict[str, Pairs](Pairs), defaultdict[str, Pairs](Pairs)
    left, ran, none = Counter[str](), Counter[str](), Counter[str]()
    for _ in range(rounds):
        normal = by_assay(build, model, bench, threads)
        with neighbour(after, lasting):
            found = by_assay(build, model, longer, threads)
        with neighbour(after, lasting):
            theirs = by_hand(build, model, bench, threads)
        for name, row in found.items():
            everything = len(row.detail["repetitions"])
            left[name] += everything - len(row.samples)
            ran[name] += everything
            none[name] += row.value is None
            if base := normal[name].value:
                hand[name].add(theirs[name][1], base)
                if row.value is not None:
                    ours[name].add(row.value, base)
    print(f"\n{'busy':8} {TITLES}   inconclusive   repetitions left out   llama-bench prints, of quiet")
    verdicts = []
    for name in (test.name for test in settings_of(bench)):
        said = ratio(ours[name]) if ours[name].first else f"{'-':>7} {'-':>14} {0:6}"
        printed = f"{hand[name].ratio[0]:.3f} (lowest {hand[name].lowest:.3f})" if hand[name].first else "-"
        out = f"{left[name]:10} of {ran[name]:<6}"
        print(f"{name:8} {said}   {none[name]:5} of {rounds:<3}   {out}   {printed}", flush=True)
        verdicts.append(told(ours[name].ratio, 1 - DISTURBED, 1 + DISTURBED) if ours[name].first else "met")
    return worst(verdicts)


TITLES = f"{'ratio':>7} {'95 % of it':>14} {'pairs':>6}"


def ratio(pairs: Pairs) -> str:
    found, low, high = pairs.ratio
    return f"{found:7.3f} {f'{low:.3f} to {high:.3f}':>14} {len(pairs.first):6}"


def worst(verdicts: Sequence[str]) -> str:
    return next(one for one in ("MISSED", "not told", "met") if one in verdicts)


def main() -> int:
    """Run both parts and print one line a test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", default=TINY_CHAT)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--disturbed", type=int, default=10, help="rounds with a neighbour")
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--busy-repetitions", type=int, default=10)
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=128)
    parser.add_argument("--threads", type=int, default=hardware().physical_cores)
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds that a round of ours may go on for")
    parser.add_argument("--after", type=float, default=1.0, help="seconds until the neighbour comes")
    parser.add_argument("--lasting", type=float, default=5.0, help="seconds until it goes")
    args = parser.parse_args()
    build = find_engine()
    bench = Bench(prefill=(args.prefill,), decode=(args.decode,), repetitions=args.repetitions, budget=args.budget)
    print(f"load average {os.getloadavg()[0]:.1f}, {args.threads} threads, {args.model.name}\n")
    agree = quiet(build, args.model, bench, args.threads, args.rounds)
    bench = bench.model_copy(update={"repetitions": args.busy_repetitions, "budget": max(args.budget, BUDGET)})
    right = disturbed(build, args.model, bench, args.threads, args.disturbed, args.after, args.lasting)
    print(f"\nquiet, within {QUIET:.0%}: {agree}; disturbed, within {DISTURBED:.0%} or no number: {right}")
    return 0 if agree == right == "met" else 1


if __name__ == "__main__":
    sys.exit(main())
