"""kill -9 at random points, fifty times with those of ``record/test_write.py``: nothing wrong becomes visible, nothing recorded is lost,
and the same command goes on."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.core.project import Project
from pipeline.flow.prepare import make_lock
from pipeline.flow.session import Session
from pipeline.lock.load import read_lock
from pipeline.record.read import query
from pipeline.store.layout import Store
from tests.projects import alive, assay, descendants, edit, start, until

FETCHES, RUNS = 24, 12
PIECE, PAUSE = 16384, 0.004  # about one second for the embedded model


class SlowOrigin(BaseHTTPRequestHandler):
    """Serves one file in small pieces, from where a range request says."""

    content = b""

    def do_GET(self) -> None:
        span = self.headers.get("Range", "")
        first, _, last = span.removeprefix("bytes=").partition("-")
        begin, end = int(first or 0), int(last) + 1 if last else len(self.content)
        self.send_response(206 if span else 200)
        if span:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(self.content)}")
        self.send_header("Content-Length", str(end - begin))
        self.end_headers()
        try:
            for at in range(begin, end, PIECE):
                self.wfile.write(self.content[at : min(at + PIECE, end)])
                time.sleep(PAUSE)
        except OSError:
            pass  # the reader was killed

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def origin(tiny_chat: Path) -> Iterator[str]:
    SlowOrigin.content = tiny_chat.read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowOrigin)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/small.gguf"
    server.shutdown()
    server.server_close()
    thread.join()


def kill_after(project: Project, delay: float, *arguments: str) -> bool:
    """Start a command and kill -9 it after ``delay`` seconds, and see its children die with it. Tells whether it still ran."""
    process = start(*arguments, project=project)
    time.sleep(delay)
    children, running = descendants(process.pid), process.poll() is None
    process.kill()
    process.communicate()
    until(lambda: not any(alive(child) for child in children), within=10.0)
    return running


def wrong_blobs(store: Store) -> list[Path]:
    """Return the blobs whose name is not their content's digest."""
    blobs = [path for path in store.root.glob("blobs/sha256/*/*") if path.is_file() and not path.suffix]
    return [path for path in blobs if Digest.of_file(path).hex != path.name.partition(".")[0]]


def test_fetch_killed(project: Project, origin: str, tiny_chat: Path) -> None:
    edit(project.root / "specs" / "small.yaml", "file:../models/small.gguf", origin)
    edit(project.root / "specs" / "small.yaml", "license:", f"sha256: {Digest.of_file(tiny_chat)}\nlicense:")
    make_lock(Session(project), "small")
    lock, store, rng = read_lock(project, "small"), Store(project.store), random.Random(1)
    interrupted = 0
    for _ in range(FETCHES):
        if store.has(lock.weights.digest):
            shutil.rmtree(store.root)
        interrupted += kill_after(project, rng.uniform(0.3, 1.6), "fetch", "small", "--quiet")
        assert not wrong_blobs(store)
        partial = store.partial(lock.weights.digest)
        assert not partial.exists() or SlowOrigin.content.startswith(partial.read_bytes()), "what was kept is not a prefix"
    assert interrupted > FETCHES // 2, "most kills came too late to mean anything"
    assert assay("fetch", "small", project=project)[0] == 0
    assert assay("verify", "--deep", "small", project=project)[0] == 0


def test_run_killed(project: Project) -> None:
    store, rng = Store(project.store), random.Random(2)
    known: set[str] = set()
    interrupted = 0
    for _ in range(RUNS):
        interrupted += kill_after(project, rng.uniform(0.4, 5.0), "run", "small", "--quiet", "--force")
        assert not wrong_blobs(store)
        now = set(query(project.database, "SELECT id FROM runs")["id"]) if project.database.exists() else set()
        assert known <= now, "a recorded run is gone"
        known = now
    assert interrupted > RUNS // 2, "most kills came too late to mean anything"
    code, out, err = assay("run", "small", project=project)
    assert code == 0, out + err
    again = query(project.database, "SELECT count(DISTINCT subject) AS n FROM runs")
    assert int(again["n"][0]) == 4, "lint, one check suite, one eval suite, bench"
