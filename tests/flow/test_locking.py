from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipeline.core.errors import NetworkError, SpecError, UsageError
from pipeline.core.progress import SILENT
from pipeline.core.project import Project
from pipeline.flow.locking import make_lock, make_locks
from pipeline.flow.session import Session
from pipeline.lock.load import lock_path
from tests.origin import origin
from tests.projects import edit


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


def test_locks_that_were_written_before_an_error_are_told(project: Project) -> None:
    said: list[str] = []

    class Noting(type(SILENT)):  # type: ignore[misc]
        def note(self, message: str) -> None:
            said.append(message)

    text = (project.specs / "small.yaml").read_text()
    for name in ("one", "two", "three"):
        source = "file:../models/none.gguf" if name == "two" else "file:../models/small.gguf"
        changed = text.replace("name: small", f"name: {name}").replace("file:../models/small.gguf", source)
        (project.specs / f"{name}.yaml").write_text(changed)
    with pytest.raises(UsageError, match="no such file"):
        make_locks(Session(project, progress=Noting()), ["one", "two", "three"])
    written = [name for name in ("one", "three") if lock_path(project, name).is_file()]
    assert "one" in written and not lock_path(project, "two").exists()
    told = [line.partition(":")[0] for line in said if ": written, sha256:" in line]
    assert told == written
