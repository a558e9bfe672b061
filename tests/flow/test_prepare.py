from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from pipeline.core.errors import DigestMismatch, LockOutOfDate, NetworkError, SpecError, UsageError
from pipeline.core.project import Project
from pipeline.flow.prepare import check, fetch_all, make_lock, make_locks, repair_all, verify_all
from pipeline.flow.session import Session
from pipeline.lock.load import lock_path
from pipeline.runtime.build import EngineBuild
from pipeline.runtime.server import running
from tests.origin import origin
from tests.projects import edit, flip


def test_a_lock_is_written_once_and_a_dry_run_writes_nothing(project: Project) -> None:
    session, path = Session(project), lock_path(project, "small")
    before = path.read_bytes()
    again = make_lock(session, "small")
    assert (again.changes, again.written, path.read_bytes()) == ((), False, before)

    edit(project.specs / "small.yaml", "slots: 2", "slots: 3")
    dry = make_lock(session, "small", dry_run=True)
    assert dry.changes and not dry.written and path.read_bytes() == before
    wet = make_lock(session, "small")
    assert wet.written and wet.lock == dry.lock and path.read_bytes() != before


@pytest.mark.parametrize(("suite", "old"), [("few", "prompt: chat"), ("greeting", "expect: {not_empty: true}")])
def test_a_suite_with_faults_is_not_locked(project: Project, suite: str, old: str) -> None:
    edit(project.suites / suite / "suite.yaml", old, "bogus: 1")
    before = lock_path(project, "small").read_bytes()
    with pytest.raises(SpecError, match=rf"{suite}/suite\.yaml:\d+:1: unknown key 'bogus'"):
        make_lock(Session(project), "small")
    assert lock_path(project, "small").read_bytes() == before


def test_a_rule_that_does_not_exist_is_not_ignored(project: Project) -> None:
    path = project.specs / "small.yaml"
    path.write_text(path.read_text() + "lint: {ignore: [{code: A999, reason: it is new}]}\n")
    with pytest.raises(UsageError, match=r"lint\.ignore names A999, which is no rule"):
        make_lock(Session(project), "small")


def test_a_suite_under_the_wrong_heading_is_not_locked(project: Project) -> None:
    edit(project.specs / "small.yaml", "checks: [greeting]", "checks: [few]")
    with pytest.raises(SpecError, match="kind"):
        make_lock(Session(project), "small")


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


def test_an_error_in_one_of_many_ends_the_downloads_of_the_others(project: Project, tiny_chat: Path) -> None:
    text = (project.specs / "small.yaml").read_text()
    with origin() as server:
        slow = server.put("/slow.gguf", tiny_chat.read_bytes(), pause=0.05)  # 12 seconds
        for name, source in {"one": slow, "two": server.put("/none.gguf", status=404)}.items():
            changed = text.replace("name: small", f"name: {name}").replace("file:../models/small.gguf", source)
            (project.specs / f"{name}.yaml").write_text(changed)
        began = time.monotonic()
        with pytest.raises(NetworkError, match="404"):
            make_locks(Session(project), ["two", "one"])
        assert time.monotonic() - began < 8
    assert not list((project.store / "partial").glob("url-*"))
