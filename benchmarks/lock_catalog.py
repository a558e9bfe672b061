"""How long a whole catalog takes to lock: cold against a loopback hub, checked again, and locked again."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from _measure import as_installed

from pipeline.bench.stats import median, spread
from tests.matrix.clients import Assay, Done
from tests.matrix.hostile import Hostile, hostile
from tests.matrix.models import gguf

COLD, CHECK, NOISY = 10.0, 1.0, 1.25


class Catalog:
    """A project of ``count`` models of a hub in a process of its own."""

    def __init__(self, folder: Path, count: int) -> None:
        self.count = count
        self.client = Assay(folder / "project", patience=600.0, inside=False)
        argv = [sys.executable, __file__, "--serve", str(count)]
        self.hub = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Catalog:
        assert self.hub.stdout
        url = self.hub.stdout.readline().strip()
        self.client.aim("hf://acme/m000:Q8_0", url, token=False)
        specs = self.client.folder / "specs"
        (specs / "m.yaml").unlink()
        for number in range(self.count):
            name = f"m{number:03}"
            (specs / f"{name}.yaml").write_text(f"name: {name}\nsource: hf://acme/{name}:Q8_0\n")
        return self

    def __exit__(self, *_: object) -> None:
        assert self.hub.stdin
        self.hub.stdin.close()
        self.hub.wait()

    def asked(self) -> int:
        """Return how many requests the hub has had, all told."""
        assert self.hub.stdin and self.hub.stdout
        print(file=self.hub.stdin, flush=True)
        return int(self.hub.stdout.readline())

    def run(self, *arguments: str) -> Done:
        """Run a command. Raises RuntimeError when it fails."""
        done = self.client.run(*arguments, "--quiet")
        if done.code:
            raise RuntimeError(f"assay {' '.join(arguments)}: {done.code}\n{done.said[-2000:]}")
        return done

    def forget(self) -> None:
        """Remove all locks."""
        shutil.rmtree(self.client.folder / "lockfiles", ignore_errors=True)


def serve(count: int) -> None:
    """Be the hub: say where it is, then for each line that comes how many requests there were."""
    with hostile() as hub:
        fill(hub, count)
        print(hub.url, flush=True)
        for _ in sys.stdin:
            print(len(hub.requests), flush=True)


def fill(hub: Hostile, count: int) -> None:
    """Put so many models on a hub."""
    for number in range(count):
        files = {f"m{number:03}-Q8_0.gguf": gguf(4096, seed=number), f"m{number:03}-Q4_0.gguf": gguf(2048, seed=number)}
        hub.add_repo(f"acme/m{number:03}", files, license="apache-2.0")


def main() -> int:
    """Lock, check and lock again in turns; exit code 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve)
        return 0
    times: dict[str, list[float]] = {"lock, cold": [], "lock --check": [], "lock again": [], "--help": []}
    asked: dict[str, int] = {}
    folder = Path(tempfile.mkdtemp(prefix="assay-catalog-"))
    as_installed(folder)
    try:
        with Catalog(folder, args.models) as catalog:
            catalog.client.run("lock", "--check")  # so that its modules are compiled
            for _ in range(args.repetitions):
                catalog.forget()
                steps = {"lock, cold": ["lock"], "lock --check": ["lock", "--check"], "lock again": ["lock"]}
                for name, arguments in steps.items():
                    before, began = catalog.asked(), time.monotonic()
                    catalog.run(*arguments)
                    times[name].append(time.monotonic() - began)
                    asked[name] = catalog.asked() - before
                began = time.monotonic()
                catalog.client.run("--help")
                times["--help"].append(time.monotonic() - began)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    goals = {"lock, cold": COLD, "lock --check": CHECK}
    missed = False
    print(
        f"{args.models} models, {args.repetitions} repetitions, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n"
    )
    print("| `assay` | Seconds | Apart | Requests | Goal | |\n|---|---|---|---|---|---|")
    for name, seconds in times.items():
        took, apart = median(seconds), spread(seconds)
        met = took < goals[name] if name in goals else asked.get(name, 0) == 0
        missed |= not met
        goal = f"< {goals[name]:.0f} s" if name in goals else "no request" if name in asked else "–"
        noise = ", noisy" if apart > NOISY else ""
        said = "–" if goal == "–" else f"{'met' if met else 'MISSED'}{noise}"
        print(f"| {name} | {took:.2f} | x{apart:.2f} | {asked.get(name, '–')} | {goal} | {said} |")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
