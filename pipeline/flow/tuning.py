"""Tune a spec's engine block on this machine: settings tried side by side through the real server, with evidence."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.bench.tune import BETTER, GAIN, GOALS, Goal, Machine, Side, Trial, Tuned, descend, parted
from pipeline.core.errors import EngineError, UsageError
from pipeline.core.files import atomic_write
from pipeline.flow.prepare import fetch_all, verify_all
from pipeline.flow.session import Session, Stored
from pipeline.lock.argv import compile_argv
from pipeline.lock.model import Lockfile
from pipeline.spec.edit import edited
from pipeline.spec.load import find_spec
from pipeline.spec.model import Engine

LEAST, MOST = 3, 8
REQUESTS = 6


@dataclass(frozen=True)
class Tuning:
    """A search with all its evidence. ``engine``: for each test of llama-bench, both sides and the verdict. ``written``: the spec was
    changed.
    """

    name: str
    goal: Goal
    tuned: Tuned
    engine: tuple[dict[str, Any], ...]
    spec: Path
    written: bool


def tune(
    session: Session,
    name: str,
    goal: str,
    *,
    budget: float,
    write: bool = False,
    told: Callable[[Trial], object] = lambda _: None,
) -> Tuning:
    """Search for ``budget`` seconds, then compare both blocks by llama-bench too; ``write`` puts the best into the spec.

    Every repetition is a server started anew, both sides in turn. Files are hashed before the first and after the last.
    Raises EngineError where the spec's own settings don't run.
    """
    lock, path = session.current(name), find_spec(session.project, name)
    text = path.read_text()
    fetch_all(session, [lock])
    verify_all(session, [lock], deep=True)
    stored, deadline = session.stored(lock), time.monotonic() + budget
    bed = Bed(session, stored, GOALS[goal], deadline)
    with session.progress.task(f"tuning {name} for {goal}", None, "starts") as task:
        bed.advance = task.advance
        start = lock.spec.engine
        machine = Machine(session.hardware.physical_cores, _gpu_layers(session, stored))
        tuned = descend(start, bed.goal, machine, bed.measure, bed.guard, expired=bed.expired, told=told)
        engine = tuple(bed.engine_layer(start, tuned.best)) if tuned.changes else ()
    verify_all(session, [lock], deep=True)
    written = bool(write and tuned.changes)
    if written:
        write_block(path, text, tuned.changes)
    return Tuning(name, bed.goal, tuned, engine, path, written)


def write_block(path: Path, text: str, changes: dict[str, Any]) -> None:
    """Put ``changes`` into the engine block of a spec that was ``text`` when it was read. Raises UsageError where it is
    another text now, or can't be edited by a machine.
    """
    if path.read_text() != text:
        raise UsageError(f"{path} changed meanwhile: nothing is written", hint="write the block there by hand")
    atomic_write(path, edited(text, ("engine",), changes).encode(), path.stat().st_mode & 0o777)


class Bed:
    """Where settings are tried."""

    def __init__(self, session: Session, stored: Stored, goal: Goal, deadline: float) -> None:
        self.goal, self._session, self._stored, self._deadline = goal, session, stored, deadline
        self._guarded: dict[str, tuple[bool, str]] = {}
        self.advance: Callable[[], object] = lambda: None

    def expired(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() > self._deadline

    def measure(self, present: Engine, changed: Engine) -> tuple[Sequence[float], Sequence[float]]:
        """Return the repetitions that count of either side, taken in turn, until they tell or ``MOST`` were run."""
        found: tuple[list[float], list[float]] = ([], [])
        for number in range(MOST):
            order = (0, 1) if number % 2 == 0 else (1, 0)  # what drifts hits both alike
            for side in order:
                if (sample := self._once((present, changed)[side], max(present.slots, changed.slots))) is not None:
                    found[side].append(sample)
                self.advance()
            if self.expired() or self._told_apart(found):
                break
        return found

    def _told_apart(self, found: tuple[list[float], list[float]]) -> bool:
        sides = [Side(tuple(samples)) for samples in found]
        if min(map(len, found)) < LEAST:
            return False
        if parted(sides[0], sides[1], self.goal)[0] == BETTER:
            return True
        # As sharp as it needs to be, or so much worse that more would not change it.
        one, two = (side.interval or (0.0, 0.0) for side in sides)
        sharp = all((high - low) / 2 <= GAIN / 2 * high for low, high in (one, two))
        return sharp or (two[0] > one[1] if self.goal.less else two[1] < one[0])

    def _once(self, engine: Engine, streams: int) -> float | None:
        """Start a server, and return one figure; None where it was kept waiting."""
        from pipeline.bench.load import Load, counter
        from pipeline.bench.prompts import Prompts
        from pipeline.bench.service import STALL_SECONDS
        from pipeline.bench.stats import median
        from pipeline.bench.witness import Witness
        from pipeline.runtime.server import running

        lock, stored = with_engine(self._stored.lock, engine), self._stored
        bench, threads = lock.spec.bench, engine.threads or self._session.hardware.physical_cores
        build = self._session.require_engine(lock)
        files = {"weights": stored.weights, "template": stored.template, "mmproj": stored.mmproj}
        with running(build, lock, **files, threads=threads) as server:  # type: ignore[arg-type]
            looker = Witness(server.pid, threads, engine.gpu_layers > 0)
            chat = lock.spec.profile == "chat" and (stored.template or lock.gguf.get("template_digest")) is not None
            load = Load(
                server.client,
                model=lock.name,
                chat=chat,
                seed=lock.spec.sampling.seed,
                max_tokens=bench.max_tokens,
                stall_seconds=STALL_SECONDS,
                looker=looker,
            )
            prompts = Prompts(lock.spec.sampling.seed, min(bench.prefill), counter(server.client))
            load.run(prompts.take(1), 1)
            many = streams if self.goal.name == "throughput" else 1
            batch = load.run(prompts.take(max(REQUESTS, 2 * many)), many)
            peak = server.peak_rss()
        if any(one.error for one in batch.done):
            return None
        if self.goal.name == "memory":
            return None if peak is None else float(peak)
        if not batch.valid:
            return None
        if self.goal.name == "latency":
            return median([one.ended - one.sent for one in batch.done])
        return sum(one.tokens for one in batch.done) / batch.seconds

    def guard(self, engine: Engine) -> tuple[bool, str]:
        """Tell whether outputs stay near those of the default settings, and how near."""
        from pipeline.bench.prompts import text
        from pipeline.runtime.llama_perplexity import CHUNKS, CONTEXT, divergence

        build, threads = self._session.require_engine(self._stored.lock), self._session.hardware.physical_cores
        found = divergence(build, self._stored.weights, engine, text(0, 0, 2 * CHUNKS * CONTEXT), threads=threads)
        return found.small, str(found)

    def engine_layer(self, start: Engine, best: Engine) -> Sequence[dict[str, Any]]:
        """Compare both blocks by llama-bench, in turn: what the kernels alone make of it. Nothing where it can't load the
        model, as without overrides that the spec gives.
        """
        from pipeline.bench.engine import engine_rows

        lock, weights = self._stored.lock, self._stored.weights
        build, threads = self._session.require_engine(lock), self._session.hardware.physical_cores
        bench = lock.spec.bench.model_copy(update={"budget": 0.0})
        rows: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
        for side in (0, 1, 1, 0):
            try:
                found = engine_rows(build, weights, (start, best)[side], bench, threads=threads)
            except EngineError:
                return []
            for row in found:
                if row.unit == "tok/s":
                    rows.setdefault((row.test, row.metric), ([], []))[side].extend(row.samples)
            self.advance()
        return [_compared(test, metric, *sides) for (test, metric), sides in rows.items()]


def _compared(test: str, metric: str, one: Sequence[float], two: Sequence[float]) -> dict[str, Any]:
    before, after = Side(tuple(one)), Side(tuple(two))
    verdict, why = parted(before, after, Goal("engine", metric, "tok/s", False))
    sides = {"present": before.content(), "changed": after.content()}
    return {"test": test, "metric": metric, "unit": "tok/s", "verdict": verdict, "why": why, **sides}


def with_engine(lock: Lockfile, engine: Engine) -> Lockfile:
    """Return a lock, in memory alone, whose model runs with other settings."""
    spec = lock.spec.model_copy(update={"engine": engine})
    return lock.model_copy(update={"spec": spec, "argv": compile_argv(spec, lock.weights.digest)})


def _gpu_layers(session: Session, stored: Stored) -> int:
    """Return how many layers a GPU of this machine could compute; 0 without one, or where the engine can use none."""
    header = stored.headers()[0]
    layers = header.metadata.get(f"{header.metadata.get('general.architecture')}.block_count", 0)
    return layers + 1 if session.hardware.gpus and isinstance(layers, int) else 0
