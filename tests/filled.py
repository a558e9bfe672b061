"""How much memory llama-server comes to when all its slots are full."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.core.digest import Digest
from pipeline.gguf.header import read_header
from pipeline.gguf.memory import Memory
from pipeline.lock.argv import compile_argv
from pipeline.lock.model import Lockfile
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.params import Listen, planned, server_argv
from pipeline.runtime.server import started

ANSWER = 8


def filled(build: EngineBuild, weights: Path, lock: Lockfile) -> tuple[Memory, int]:
    """Return what the plan says of a lock's settings, and the most memory that the server ever had resident: with texts in
    each slot that fill it, all at once.
    """
    locked = lock.model_copy(update={"argv": compile_argv(lock.spec, Digest.of(b""))})
    engine = lock.spec.engine

    def argv(listen: Listen, key_file: Path) -> tuple[str, ...]:
        return server_argv(locked, weights=weights, template=None, listen=listen, key_file=key_file, threads=2)

    with started((str(build.server),), build.environment, argv, 120.0) as server:

        def ask(slot: int) -> int:
            text = " ".join(f"{slot} tree {number}" for number in range(engine.context))
            tokens = server.client.post("/tokenize", json={"content": text}).json()["tokens"]
            body = {"prompt": tokens[: engine.context - 2 * ANSWER], "n_predict": ANSWER}
            return server.client.post("/completion", json=body, timeout=300).status_code

        with ThreadPoolExecutor(engine.slots) as pool:
            assert list(pool.map(ask, range(engine.slots))) == [200] * engine.slots
        peak = server.peak_rss()
    assert peak
    return planned(lock, [read_header(weights)]), peak
