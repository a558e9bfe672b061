"""The bench stage: the engine's speed, this machine's limits, what a user of the server gets, and what it takes to run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from pipeline.bench.model import BenchRow
from pipeline.core.errors import EngineError
from pipeline.flow.prepare import verify_all
from pipeline.flow.session import Session, Stored
from pipeline.gguf.header import GgufError

if TYPE_CHECKING:
    from pipeline.bench.resources import Started
    from pipeline.runtime.server import Running

Serve = Callable[[], AbstractContextManager["Running"]]


def measure(
    session: Session, stored: Stored, serve: Serve, *, chat: bool
) -> tuple[tuple[BenchRow, ...], tuple[str, ...]]:
    """Return every row, and the arguments of the server that was asked. ``chat``: it has a template to talk with. A model that
    writes nothing gets no load test.

    Files are hashed before every start. Raises EngineError and DigestMismatch.
    """
    from pipeline.bench.layers import gap_rows
    from pipeline.bench.resources import load_rows, memory_rows, started
    from pipeline.bench.service import service_rows
    from pipeline.bench.witness import Witness

    spec, lock = stored.lock.spec, stored.lock
    rows = _engine(session, stored)
    cold = _cold(session, stored, serve)
    verify_all(session, [lock], deep=True)  # also reads them into the page cache again
    with serve() as server:
        warm = started(server.pid, server.load_seconds)
        looker = Witness(server.pid, session.threads(lock), spec.engine.gpu_layers > 0)
        if spec.writes:
            rows += service_rows(
                server.client,
                spec.bench,
                model=spec.name,
                chat=chat,
                seed=spec.sampling.seed,
                looker=looker,
                progress=session.progress,
            )
        size = sum(file.size for file in lock.shards)
        rows += (*gap_rows(rows), *load_rows(cold, warm, size), *memory_rows(server.pid, *_planned(stored)))
        return rows, server.argv


def _engine(session: Session, stored: Stored) -> tuple[BenchRow, ...]:
    from pipeline.bench.engine import engine_rows, unmeasured
    from pipeline.bench.limits import SECONDS, probe, shares
    from pipeline.gguf.work import work

    spec, threads = stored.lock.spec, session.threads(stored.lock)
    build, engine = session.require_engine(stored.lock), spec.engine
    try:
        rows = engine_rows(build, stored.weights, engine, spec.bench, threads=threads, progress=session.progress)
    except EngineError as error:
        if not engine.overrides:
            raise
        last = error.message.splitlines()[-1]
        rows = unmeasured(spec.bench, f"llama-bench knows no overrides, and without them it fails: {last}")
    types = {"cache_type_k": engine.cache_type_k, "cache_type_v": engine.cache_type_v}
    limits = probe(threads, min(SECONDS, spec.bench.budget))
    return rows + limits + shares(rows, limits, work(stored.headers(), **types), offloaded=engine.gpu_layers > 0)


def _cold(session: Session, stored: Stored, serve: Serve) -> Started | None:
    """Return what a start takes whose weights the page cache does not hold; None where it can't be emptied."""
    from pipeline.bench.resources import forget, started

    verify_all(session, [stored.lock], deep=True)
    if not forget(session.store.path(file.digest) for file in stored.lock.shards):
        return None
    with serve() as server:
        return started(server.pid, server.load_seconds)


def _planned(stored: Stored) -> tuple[int | None, str]:
    """Return the bytes that the server is estimated to come to, or why they can't be."""
    from pipeline.runtime.params import planned

    try:
        plan = planned(stored.lock, stored.headers())
    except GgufError as error:
        return None, f"the header does not tell: {error}"
    return plan.total, ""
