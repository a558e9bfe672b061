from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core import http
from pipeline.spec.sources import _web
from pipeline.store import transfer
from tests.matrix.cases import CASES
from tests.matrix.clients import TOKEN, Assay
from tests.matrix.hostile import Hostile, hostile
from tests.matrix.stage import Case, play, stage


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long, and nobody reaches for another machine."""
    monkeypatch.setattr(http, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(transfer, "_TICK", 0.02)
    monkeypatch.setattr(http, "_READ_SECONDS", 1.0)
    monkeypatch.setattr(_web, "_PER_SECONDS", 0.5)
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: tuple[str, int]) -> None:
        assert address[0] == "127.0.0.1", f"reached for {address}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def hub() -> Iterator[Hostile]:
    with hostile() as running:
        yield running
        running.begin()


PLAYED = [
    pytest.param(case, size, id=f"{case.name}{' (large)' if size > case.sizes[0] else ''}")
    for case in CASES
    for size in case.sizes
]


@pytest.mark.parametrize(("case", "size"), PLAYED)
def test_it_ends_in_the_right_file_or_a_clear_error(case: Case, size: int, hub: Hostile, tmp_path: Path) -> None:
    client = Assay(tmp_path / "project")
    set_up = stage(case, size, hub, client)
    done = play(case, set_up)
    assert not set_up.faults, done.said
    assert not client.strangers() and not hub.leaked and TOKEN not in done.said
    assert "Traceback" not in done.said
    there = [client.place(name, content) for name, content in set_up.files.items()]
    if case.right:
        assert done.code == 0, done.said
        contents = list(set_up.files.values())
        assert [path.read_bytes() if path.exists() else None for path in there] == contents
        assert not list(client.store.root.glob("partial/*")) and client.verify().code == 0
    else:
        assert (done.code, bool(re.search(case.says, done.err, re.DOTALL))) == (case.code, True), done.said
        assert "error: " in done.err and "  -> " in done.err, done.err
        if case.code == 5:
            assert "sha256:" in done.err and ("path" in done.err or "bytes, not the" in done.err)
