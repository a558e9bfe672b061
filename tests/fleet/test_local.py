from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.core.errors import EngineError, SpecError, UsageError
from pipeline.core.progress import SILENT, Task
from pipeline.core.project import Project
from pipeline.evals.engine import Model, load_suite, run_suite
from pipeline.fleet.local import evaluate, submit
from tests.projects import alive, command_of, descendants, edit


class Heard:
    """Progress that remembers, and does something when a task begins."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.then = then
        self.began: list[tuple[str, int | None, str]] = []
        self.ended = 0
        self.steps = 0
        self.notes: list[str] = []

    def advance(self, amount: int = 1) -> None:
        self.steps += amount

    @contextmanager
    def task(self, label: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        self.began.append((label, total, unit))
        self.then()
        try:
            yield self
        finally:
            self.ended += 1

    def note(self, message: str) -> None:
        self.notes.append(message)


def workers() -> set[int]:
    """The jobs that this process runs now."""
    return {pid for pid in descendants(os.getpid()) if "pipeline.fleet.worker" in command_of(pid)}


def few(project: Project) -> Path:
    return project.suites / "few"


@pytest.fixture
def many(project: Project) -> Path:
    """A suite that takes a while."""
    items = few(project) / "items.jsonl"
    row = json.loads(items.read_text().splitlines()[0])
    items.write_text("".join(json.dumps({**row, "id": str(number)}) + "\n" for number in range(2000)))
    return few(project)


def test_a_job_gives_what_the_suite_gives_and_its_progress_arrives(cold_project: Project, tiny_chat: Path) -> None:
    heard = Heard()
    result = evaluate(few(cold_project), Model(tiny_chat), threads=1, progress=heard)
    assert result == run_suite(load_suite(few(cold_project)), Model(tiny_chat), threads=1)
    assert heard.began and heard.ended == len(heard.began)
    assert heard.steps == sum(total or 0 for _, total, _ in heard.began)
    assert not workers()


def test_a_job_that_is_killed_is_an_error_of_the_engine(many: Path, tiny_chat: Path) -> None:
    def kill() -> None:
        for pid in workers():
            os.kill(pid, signal.SIGKILL)

    heard = Heard(kill)
    with pytest.raises(EngineError, match="the engine died while scoring: killed by SIGKILL") as error:
        evaluate(many, Model(tiny_chat), threads=1, progress=heard)
    assert error.value.hint
    assert heard.ended == len(heard.began)
    assert not workers()


def test_ctrl_c_stops_the_job(many: Path, tiny_chat: Path) -> None:
    found: set[int] = set()

    def interrupt() -> None:
        found.update(workers())
        raise KeyboardInterrupt

    heard = Heard(interrupt)
    with pytest.raises(KeyboardInterrupt):
        evaluate(many, Model(tiny_chat), threads=1, progress=heard)
    assert found and not any(map(alive, found))


def test_errors_arrive_as_themselves(project: Project, tiny_chat: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"can't read .*suite\.yaml"):
        evaluate(tmp_path / "none", Model(tiny_chat), threads=1)

    edit(few(project) / "suite.yaml", "prompt: chat", "promt: chat")
    with pytest.raises(SpecError) as error:
        evaluate(few(project), Model(tiny_chat), threads=1)
    assert {problem.message for problem in error.value.problems} >= {"unknown key 'promt'"}
    assert all(problem.line for problem in error.value.problems)


def test_weights_that_cannot_be_loaded_are_an_error_of_the_engine(cold_project: Project, tmp_path: Path) -> None:
    weights = tmp_path / "broken.gguf"
    weights.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(EngineError, match=r"broken\.gguf"):
        evaluate(few(cold_project), Model(weights), threads=1)


def test_a_bug_in_a_job_is_no_error_of_the_engine() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)in a job's process:.*Traceback.*KeyError: 'suite'"):
        submit({}, SILENT)


def test_neither_the_folder_nor_the_environment_gets_into_a_job(
    cold_project: Project, tiny_chat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pipeline", "yaml", "numpy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "yaml" / "__init__.py"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert evaluate(few(cold_project), Model(tiny_chat), threads=1).metrics
