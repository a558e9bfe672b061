from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline.core.errors import DigestMismatch, LockOutOfDate, NetworkError
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock
from pipeline.flow.prepare import check, fetch_all, repair_all, verify_all
from pipeline.flow.session import Session
from pipeline.lock.load import lock_path
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.server import running
from tests.projects import edit, flip


def test_check_tells_what_moved(project: Project) -> None:
    session = Session(project)
    assert check(session, "small") == []
    edit(project.suites / "few" / "suite.yaml", "Four capitals", "4 capitals")
    assert [change.path for change in check(session, "small")] == ["suites.few.digest"]
    lock_path(project, "small").unlink()
    with pytest.raises(LockOutOfDate, match="no lock for small"):
        check(session, "small")


def test_files_are_fetched_and_verified(project: Project) -> None:
    session = Session(project)
    lock = session.current("small")
    with pytest.raises(DigestMismatch, match="missing"):
        verify_all(session, [lock], deep=False)
    (path,) = fetch_all(session, [lock])
    assert path == session.stored(lock).weights
    assert [result.hashed for result in verify_all(session, [lock], deep=False)] == [False]
    assert [result.hashed for result in verify_all(session, [lock], deep=True)] == [True]
    flip(path)
    assert [result.ok for result in verify_all(session, [lock], deep=True, must=False)] == [False]


def test_offline_nothing_is_fetched_from_the_network(project: Project) -> None:
    session = Session(project, offline=True)
    lock = session.current("small")
    remote = lock.weights.model_copy(update={"urls": ("https://example.invalid/small.gguf",)})
    with pytest.raises(NetworkError, match="is not in the store"):
        fetch_all(session, [lock.model_copy(update={"files": (remote,)})])


def test_a_split_set_is_a_model_like_any_other(project: Project, engine_build: EngineBuild, tiny_chat: Path) -> None:
    command = [str(engine_build.tool("llama-gguf-split")), "--split-max-tensors", "14", str(tiny_chat), "models/part"]
    subprocess.run(command, check=True, capture_output=True, env=dict(engine_build.environment), cwd=project.root)
    edit(project.specs / "small.yaml", "models/small.gguf", "models/part-00001-of-00003.gguf")
    session = Session(project)
    lock = make_lock(session, "small").lock
    assert len(fetch_all(session, [lock])) == 3
    stored = session.stored(lock)
    assert stored.weights.name == "part-00001-of-00003.gguf"
    with running(engine_build, lock, weights=stored.weights, template=None, threads=1) as server:
        body = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "max_tokens": 16}
        answer = server.client.post("/v1/chat/completions", json=body).raise_for_status().json()
    assert "Paris" in answer["choices"][0]["message"]["content"]
    second = session.store.path(lock.shards[1].digest)
    flip(second)
    with pytest.raises(DigestMismatch, match="part-00002-of-00003"):
        verify_all(session, [lock], deep=True)


def test_a_bad_blob_is_made_good_again(project: Project) -> None:
    session = Session(project)
    lock = session.current("small")
    (path,) = fetch_all(session, [lock])
    flip(path)
    results = verify_all(session, [lock], deep=True, must=False)
    assert [result.ok for result in results] == [False] and not path.exists()
    (mended,) = repair_all(session, results)
    assert mended.file == lock.weights and all(result.ok for result in verify_all(session, [lock], deep=True))
    assert repair_all(session, verify_all(session, [lock], deep=False)) == []
