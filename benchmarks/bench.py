"""Hold `assay bench` against llama-bench run by hand: in turns on a quiet machine, and with a neighbour that comes and goes.

On the quiet machine the ratio of the two, round by round, must lie within 2 % with its whole 95 % interval. What else the machine did
disturbs either side, so the repetitions that its counters speak against are left out of both. With the neighbour, Assay must give no
number, or one within 3 % of what the same run had, undisturbed, while the neighbour was away. Exit code 1 unless both hold.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from _measure import Pairs, told

from pipeline.bench.engine import engine_rows, repetitions_of
from pipeline.bench.llama_bench import run_bench, settings_of
from pipeline.bench.model import BenchRow
from pipeline.bench.stats import median, spread
from pipeline.core.host import hardware
from pipeline.core.progress import SILENT
from pipeline.runtime.build import EngineBuild, find_engine
from pipeline.spec.model import Bench, Engine

TINY_CHAT = Path(__file__).parent.parent / "models" / "tiny-chat" / "tiny-chat-q8_0.gguf"
QUIET, DISTURBED = 0.02, 0.03
FEWEST_HERE = 2
BUDGET = 5.0
SPIN = (sys.executable, "-c", "while True: pass")


def by_assay(build: EngineBuild, model: Path, bench: Bench, threads: int) -> dict[str, BenchRow]:
    """Return the row of each test."""
    rows = engine_rows(build, model, Engine(), bench, threads=threads)
    return {row.test: row for row in rows if row.unit == "tok/s"}


class ByHand(NamedTuple):
    """What llama-bench says of one test, tok/s: each repetition, those that nothing disturbed, and the mean that it prints."""

    every: list[float]
    undisturbed: list[float]
    mean: float


def by_hand(build: EngineBuild, model: Path, bench: Bench, threads: int) -> dict[str, ByHand]:
    """Run llama-bench with its own averaging; its machine is looked at as Assay looks at its own."""
    lengths = ["-p", ",".join(map(str, bench.prefill)), "-n", ",".join(map(str, bench.decode))]
    how = f"-r {bench.repetitions} -t {threads} -ngl 0 -fa off -lm none -o jsonl --progress".split()
    argv = (str(build.tool("llama-bench")), "-m", str(model), *lengths, *how)
    ran = run_bench(build, model, argv, 0, SILENT)
    found = {}
    for test, (said, marks) in zip(settings_of(bench), ran, strict=True):
        judged = repetitions_of(test, said, marks, offloaded=False)
        rates = said["samples_ts"]
        counting = [rate for rate, one in zip(rates, judged, strict=True) if one.conditions.valid]
        found[test.name] = ByHand(rates, counting, said["avg_ts"])
    return found


@dataclass
class Neighbour:
    """Keeps every core busy with something else, on purpose, from some seconds after the measurement begins on, and for a while."""

    after: float
    lasting: float
    came: float = math.inf
    went: float = math.inf

    @contextmanager
    def around(self) -> Iterator[None]:
        """Come and go while the body runs; gone at its end."""
        stop = threading.Event()
        began = time.monotonic()

        def disturb() -> None:
            if stop.wait(self.after):
                return
            self.came = time.monotonic() - began
            # Each in a session of its own, as the kernel may share the cores out among sessions.
            busy = [subprocess.Popen(SPIN, start_new_session=True) for _ in range(os.cpu_count() or 1)]
            stop.wait(self.lasting)
            for process in busy:
                process.kill()
                process.wait()
            self.went = time.monotonic() - began

        thread = threading.Thread(target=disturb)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def beside(self, repetition: Mapping[str, Any]) -> bool:
        """Tell whether it was there during any of a repetition."""
        return bool(repetition["at"] < self.went and repetition["at"] + repetition["seconds"] > self.came)


def quiet(build: EngineBuild, model: Path, bench: Bench, threads: int, rounds: int) -> str:
    """Run both in turns; tells whether ours and those by hand agree."""
    undisturbed, bare, why = defaultdict[str, Pairs](Pairs), defaultdict[str, Pairs](Pairs), dict[str, str]()
    for number in range(rounds):
        first = by_hand(build, model, bench, threads) if number % 2 else None
        ours = by_assay(build, model, bench, threads)
        hand = first or by_hand(build, model, bench, threads)
        for name, row in ours.items():
            bare[name].add(median([one["rate"] for one in row.detail["repetitions"]]), median(hand[name].every))
            if min(len(row.samples), len(hand[name].undisturbed)) < FEWEST_HERE:
                why[name] = row.reason or "by hand nothing ran undisturbed"
            else:  # a round's few repetitions may leave Assay inconclusive: it is their median over all rounds that is compared
                undisturbed[name].add(median(row.samples), median(hand[name].undisturbed))
    print(f"{'quiet':8} {'assay':>10} {'by hand':>10} {TITLES}   spread of each   with what was disturbed")
    verdicts = []
    for name in (test.name for test in settings_of(bench)):
        both = undisturbed[name]
        verdicts.append(told(both.ratio, 1 - QUIET, 1 + QUIET) if both.first else "not told")
        if both.first:
            apart = f"{spread(both.first):.2f} {spread(both.second):.2f}     "
            medians = f"{median(both.first):10.1f} {median(both.second):10.1f}"
            print(f"{name:8} {medians} {ratio(both)}   {apart}  {ratio(bare[name])}", flush=True)
        else:
            print(f"{name:8} assay: {why.get(name)}")
    return worst(verdicts)


@dataclass
class Busy:
    """What came of one test beside a neighbour, over all rounds."""

    held: Pairs = field(
        default_factory=Pairs
    )  # Assay's number, and the median of what of it the neighbour was away from
    before: Pairs = field(default_factory=Pairs)  # Assay's number, and that of the quiet run before
    printed: Pairs = field(default_factory=Pairs)  # llama-bench's mean, and Assay's number of the quiet run before
    none: int = 0
    blind: int = 0  # numbers wholly of what ran beside the neighbour
    beside: int = 0
    caught: int = 0

    def add(self, row: BenchRow, neighbour: Neighbour) -> None:
        """Take what Assay found beside ``neighbour``."""
        ran = row.detail["repetitions"]
        beside = [one for one in ran if neighbour.beside(one)]
        self.beside += len(beside)
        self.caught += sum(bool(one["against"]) for one in beside)
        self.none += row.value is None
        alone = [one["rate"] for one in ran if not one["against"] and one not in beside]
        if row.value is not None and alone:
            self.held.add(row.value, median(alone))
        self.blind += row.value is not None and not alone

    @property
    def verdict(self) -> str:
        """Whether the numbers hold; so does it, where there is never one."""
        if self.blind or not self.held.first:
            return "MISSED" if self.blind else "met"
        return told(self.held.ratio, 1 - DISTURBED, 1 + DISTURBED)


def disturbed(
    build: EngineBuild, model: Path, bench: Bench, threads: int, rounds: int, after: float, lasting: float
) -> str:
    """Run either side while a neighbour comes and goes, and ours without one before; tells whether our numbers hold."""
    longer = bench.model_copy(update={"budget": bench.budget + after + lasting})
    found = {test.name: Busy() for test in settings_of(bench)}
    for _ in range(rounds):
        normal = by_assay(build, model, bench, threads)
        neighbour = Neighbour(after, lasting)
        with neighbour.around():
            ours = by_assay(build, model, longer, threads)
        with Neighbour(after, lasting).around():
            theirs = by_hand(build, model, bench, threads)
        for name, row in ours.items():
            found[name].add(row, neighbour)
            if base := normal[name].value:
                found[name].printed.add(theirs[name].mean, base)
                if row.value is not None:
                    found[name].before.add(row.value, base)
    print(
        f"\n{'busy':8} {TITLES}   inconclusive   beside it: left out   of the quiet run before   llama-bench prints, of that"
    )
    for name, one in found.items():
        printed = f"{one.printed.ratio[0]:.3f} (lowest {one.printed.lowest:.3f})" if one.printed.first else "-"
        out = f"{one.caught:8} of {one.beside:<8}"
        print(
            f"{name:8} {ratio(one.held)}   {one.none:5} of {rounds:<3}   {out}   {ratio(one.before)}   {printed}",
            flush=True,
        )
    return worst([one.verdict for one in found.values()])


TITLES = f"{'ratio':>7} {'95 % of it':>14} {'pairs':>6}"


def ratio(pairs: Pairs) -> str:
    if not pairs.first:
        return f"{'-':>7} {'-':>14} {0:6}"
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
