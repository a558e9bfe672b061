"""Time and memory of commands, run in turns."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.bench.stats import median, spread
from tests.projects import descendants

_PAGE = os.sysconf("SC_PAGE_SIZE")
NOISY = 1.25


@dataclass
class Contestant:
    """One command; ``before`` clears what its last run left. ``seconds`` and ``peaks`` (bytes) are its runs."""

    name: str
    argv: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], object] = lambda: None
    seconds: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    def run(self) -> None:
        """Run it once. Raises RuntimeError when it fails."""
        self.before()
        began = time.monotonic()
        process = subprocess.Popen(
            self.argv,
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        over, peak = threading.Event(), [0]
        watching = threading.Thread(target=watch, args=(process.pid, over, peak))
        watching.start()
        err = process.communicate()[1]
        self.seconds.append(time.monotonic() - began)
        over.set()
        watching.join()
        self.peaks.append(peak[0])
        if process.returncode:
            raise RuntimeError(f"{self.name} failed with {process.returncode}: {err[-2000:]}")

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def spread(self) -> float:
        return spread(self.seconds)

    def __str__(self) -> str:
        noise = ", noisy" if self.spread > NOISY else ""
        runs = f"{self.name} {self.median:.2f} s (x{self.spread:.2f} apart{noise})"
        return f"{runs}, {max(self.peaks) >> 20} MiB"


@dataclass
class Pairs:
    """Two sides measured one right after the other, again and again: what a slow minute does to both, their ratio doesn't show.

    ``first`` and ``second`` are the figures, of the same unit.
    """

    first: list[float] = field(default_factory=list)
    second: list[float] = field(default_factory=list)

    def add(self, first: float, second: float) -> None:
        self.first.append(first)
        self.second.append(second)

    @property
    def ratio(self) -> tuple[float, float, float]:
        """The first side's share of the second's, and its 95 % interval."""
        return tuple(map(math.exp, middle([math.log(one / other) for one, other in self._both])))  # type: ignore[return-value]

    @property
    def later(self) -> tuple[float, float, float]:
        """How much more the first side's is than the second's, and its 95 % interval."""
        return middle([one - other for one, other in self._both])

    @property
    def lowest(self) -> float:
        """The lowest ratio of a pair."""
        return min(one / other for one, other in self._both)

    @property
    def _both(self) -> list[tuple[float, float]]:
        return list(zip(self.first, self.second, strict=True))


def middle(differences: Sequence[float]) -> tuple[float, float, float]:
    """Return where the differences of pairs lie, and the 95 % interval of that, which is unbounded for fewer than ten: the median of
    the means of any two, with Wilcoxon's signed ranks (Hodges and Lehmann, 1963). It heeds outliers little, and wastes less than a median.
    """
    count = len(differences)
    means = sorted((one + other) / 2 for at, one in enumerate(differences) for other in differences[: at + 1])
    if count < 10:
        return median(means), -math.inf, math.inf
    left = math.floor(count * (count + 1) / 4 - 1.96 * math.sqrt(count * (count + 1) * (2 * count + 1) / 24))
    return median(means), means[left], means[-1 - left]


def told(found: tuple[float, float, float], least: float, most: float) -> str:
    """Return whether what was found lies within a goal with its whole interval, wholly outside, or across its edge, where nothing can
    be told.
    """
    _, low, high = found
    return "met" if least <= low and high <= most else "MISSED" if high < least or low > most else "not told"


def in_turns(contestants: Sequence[Contestant], repetitions: int) -> None:
    """Run all so many times, A B A B, so that a slow minute hits all alike."""
    for _ in range(repetitions):
        for one in contestants:
            one.run()
            print(f"  {one.name}: {one.seconds[-1]:.2f} s", file=sys.stderr, flush=True)


def as_installed(folder: Path) -> None:
    """Let all commands from now on find their modules compiled, as after an installation."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")


def verdict(value: float, goal: float, contestants: Sequence[Contestant], *, least: bool = True) -> str:
    """Return whether a goal is met, and whether that can be told."""
    said = "met" if (value >= goal if least else value <= goal) else "MISSED"
    return f"{said}, noisy" if any(one.spread > NOISY for one in contestants) else said


@contextmanager
def server(files: Mapping[Path, str], rate: float = 0.0, latency: float = 0.0) -> Iterator[dict[str, str]]:
    """Run ``_server.py`` with files and their sha256; yields the addresses of ``hub`` and ``storage``."""
    listed = [f"{path}={digest}" for path, digest in files.items()]
    options = ["--rate", str(rate), "--latency", str(latency)]
    argv = [sys.executable, str(Path(__file__).with_name("_server.py")), *listed, *options]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.terminate()


def watch(pid: int, over: threading.Event, peak: list[int]) -> None:
    """Keep the largest resident memory of a process and its descendants."""
    family, seen = {pid}, 0.0
    while not over.wait(0.02):
        if time.monotonic() - seen > 0.5:
            family, seen = {pid, *descendants(pid)}, time.monotonic()
        peak[0] = max(peak[0], sum(map(_resident, family)))


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0
