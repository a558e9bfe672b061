"""Whatever befalls a fetch, and in whatever order: the right file in the end or a clear error, and nothing else under a final name."""

from __future__ import annotations

import random
import re
import threading
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.core.errors import AssayError
from pipeline.store import fetch as fetching
from pipeline.store import transfer
from pipeline.store.fetch import fetch
from pipeline.store.layout import Store
from tests.origin import Answer, Origin
from tests.store.blobs import locked

CONTENT = b"GGUF" + random.Random(11).randbytes(1_500_000)
WRONG = CONTENT[:700_000] + b"?" + CONTENT[700_001:]
DIGEST = Digest.of(CONTENT)


def misfortune(chance: random.Random, span: str | None) -> Answer | None:
    """Return what happens to one request; most often nothing."""
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", span or "bytes=0-")
    assert found
    start, size = int(found[1]), len(CONTENT)
    kind = chance.choices(
        ("none", "cut", "busy", "failing", "plain", "short", "wrong", "gone", "page", "unsized"),
        (60, 8, 6, 6, 1, 6, 2, 0.5, 0.5, 2),
    )[0]
    match kind:
        case "cut":
            return Answer(CONTENT, cut=chance.randrange(200_000))
        case "busy":
            return Answer(status=chance.choice((429, 503)), headers={"Retry-After": "0"})
        case "failing":
            return Answer(status=chance.choice((500, 502, 504)))
        case "plain":
            return Answer(CONTENT, ranges=False)
        case "short" if span:
            end = min(size, start + chance.randrange(1, 50_000))
            part = {"Content-Range": f"bytes {start}-{end - 1}/{chance.choice((size, '*'))}"}
            return Answer(CONTENT[start:end], status=206, headers={**part})
        case "wrong":
            return Answer(WRONG)
        case "gone":
            return Answer(status=404)
        case "page":
            return Answer(b"<html>", ranges=False)
        case "unsized":
            return Answer(CONTENT, headers={"Content-Length": None})
    return None


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens(store: Store, server: Origin, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(fetching, "SMALL", 100_000)
    monkeypatch.setattr(transfer, "_MOST", 128 << 10)
    monkeypatch.setattr(transfer, "_LEAST", 32 << 10)
    monkeypatch.setattr(transfer, "_TICK", 0.005)
    monkeypatch.setattr("pipeline.store.adapt._BURST", 0.01)
    chance, lock = random.Random(seed), threading.Lock()

    def turn(number: int, span: str | None) -> Answer | None:
        with lock:
            return misfortune(chance, span)

    file = locked(CONTENT, *(server.put(f"/{name}", CONTENT, turn=turn) for name in ("a", "b")))
    for _ in range(4):
        try:
            fetch(store, file, Path("/nowhere"))
        except AssayError as error:
            assert error.message and error.exit_code in (4, 5)
            assert not list(store.root.glob("blobs/sha256/*/*"))
    good = server.put("/good", CONTENT)
    assert fetch(store, locked(CONTENT, good), Path("/nowhere")).read_bytes() == CONTENT
    assert sorted(store.root.glob("blobs/sha256/*/*")) == [store.path(DIGEST), store.receipt_path(DIGEST)]
    assert not list(store.root.glob("partial/*"))
    assert all(path.stat().st_size <= len(CONTENT) for path in store.root.glob("quarantine/*"))
