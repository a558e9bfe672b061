"""kill -9 at random points, fifty times with those of ``record/test_write.py``: nothing wrong becomes visible, nothing recorded is lost,
no engine is left behind, and the same command goes on.

A point is a place in the work (so many bytes, so many lines of progress, and a moment more), not a time: a slow machine is killed in the
same places as a fast one.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.digest import Digest
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock
from pipeline.flow.session import Session
from pipeline.lock.load import lock_path, read_lock
from pipeline.record.read import query, run_by_id
from pipeline.store.layout import Store
from tests.origin import Origin, origin
from tests.projects import alive, assay, command_of, descendants, edit, start, until

FETCHES, RUNS = 20, 12
PAUSE = 0.006  # before each 16 KiB: one and a half seconds for the embedded model
SUBJECTS = {"lint", "greeting", "few", "bench"}


@pytest.fixture
def slow(tiny_chat: Path) -> Iterator[Origin]:
    with origin() as server:
        server.put("/small.gguf", tiny_chat.read_bytes(), pause=PAUSE)
        yield server


def kill(process: subprocess.Popen[str], project: Project) -> bool:
    """kill -9, and see that all its children die with it. Tells whether it still ran."""
    children, running = descendants(process.pid), process.poll() is None
    process.kill()
    process.communicate()
    until(lambda: not any(map(alive, children)) and not engines(project), within=10.0)
    return running


def engines(project: Project) -> list[int]:
    """Return the processes that have a file of the project on their command line."""
    pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return [pid for pid in pids if str(project.root) in command_of(pid)]


def wrong_blobs(store: Store) -> list[Path]:
    """Return the blobs whose name is not their content's digest, or that can be written."""
    blobs = [
        path for path in store.root.glob("blobs/sha256/*/*") if not path.name.endswith(".json") and path.name[0] != "."
    ]
    return [path for path in blobs if Digest.of_file(path).hex != path.name or path.stat().st_mode & 0o222]


def kill_fetch(project: Project, partial: Path, size: int, chance: random.Random) -> bool:
    """Kill a fetch when so many bytes are there, or when all are, while they are hashed and named. Some are killed as they start."""
    process = start("fetch", "small", "--quiet", project=project)
    have = partial.stat().st_size if partial.exists() else 0
    wanted = chance.randint(have, max(have, int(1.03 * size)))
    if have >= size - 1:  # only the name is missing: somewhere on the way to it, or when it is there
        until(lambda: process.poll() is not None or not partial.exists() or chance.random() < 0.01, within=60)
    elif chance.random() < 0.85:
        until(
            lambda: (
                process.poll() is not None or (partial.exists() and partial.stat().st_size >= min(wanted, size - 1))
            ),
            within=60,
        )
    time.sleep(chance.uniform(0, 0.03))
    return kill(process, project)


def test_fetch_killed(project: Project, slow: Origin, tiny_chat: Path) -> None:
    content = tiny_chat.read_bytes()
    url = f"http://127.0.0.1:{slow.server_port}/small.gguf"
    edit(
        project.specs / "small.yaml",
        "source: file:../models/small.gguf",
        f"source: {url}\nsha256: {Digest.of(content)}",
    )
    make_lock(Session(project), "small")
    digest, store, chance = read_lock(project, "small").weights.digest, Store(project.store), random.Random(1)
    partial = store.partial(digest)
    interrupted, resumed = 0, 0
    for _ in range(FETCHES):
        if store.has(digest):
            shutil.rmtree(store.root)
        kept = partial.stat().st_size if partial.exists() else 0
        slow.asked.clear()
        interrupted += kill_fetch(project, partial, len(content), chance)
        assert not wrong_blobs(store)
        assert not partial.exists() or content.startswith(partial.read_bytes()), (
            "what was kept is not the beginning of the file"
        )
        if slow.asked:
            assert slow.asked == [("/small.gguf", f"bytes={kept}-" if kept else None)], "it did not go on where it was"
            resumed += kept > 0
    assert interrupted >= 0.8 * FETCHES and resumed >= 0.3 * FETCHES, "most kills meant nothing"
    assert assay("fetch", "small", project=project)[0] == 0
    assert assay("verify", "--deep", "small", project=project)[0] == 0
    assert not list(store.root.glob("quarantine/*"))


def kill_run(project: Project, lines: int, chance: random.Random, *arguments: str) -> bool:
    """Kill a main job when it has said so much, and a moment later."""
    process = start("run", "small", *arguments, project=project)
    assert process.stderr is not None
    for _ in range(chance.randint(0, lines)):
        process.stderr.readline()
    time.sleep(chance.uniform(0, 0.2))
    return kill(process, project)


def test_run_killed(project: Project) -> None:
    store, chance, lock = Store(project.store), random.Random(2), lock_path(project, "small").read_bytes()
    recorded: dict[str, str] = {}
    interrupted, lines = 0, 18
    for _ in range(RUNS):
        complete = set(recorded.values()) >= SUBJECTS
        forced = ["--force"] if complete else []  # when all is on record, from now on again and again
        interrupted += kill_run(project, lines, chance, *forced)
        assert not wrong_blobs(store)
        rows = query(project.database, "SELECT id, subject FROM runs") if project.database.exists() else None
        now = {} if rows is None else dict(zip(rows["id"], rows["subject"], strict=True))
        assert recorded.items() <= now.items(), "a recorded run is gone"
        assert all(run_by_id(project.database, id) for id in now), "a recorded run can't be read"
        assert lock_path(project, "small").read_bytes() == lock
        for report in project.reports.glob("*.json"):
            json.loads(report.read_bytes())
        recorded = now
    assert interrupted >= 0.7 * RUNS and recorded, "most kills meant nothing"
    code, out, err = assay("run", "small", project=project)
    assert code == 0, out + err
    kept = query(project.database, "SELECT id, subject FROM runs")
    assert set(kept["subject"]) == SUBJECTS and set(recorded) <= set(kept["id"])
    if set(recorded.values()) >= SUBJECTS:
        assert len(kept) == len(recorded), "what was on record was done again"
    assert not engines(project)
