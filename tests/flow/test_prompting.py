from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.console import Lines
from pipeline.core.project import Project
from pipeline.flow import prompting
from pipeline.flow.locking import make_lock
from pipeline.flow.prompting import Prompts
from pipeline.flow.session import Session
from pipeline.lock.load import lock_path, read_lock
from pipeline.lock.model import Lockfile
from tests import zoo
from tests.projects import edit, make_project

NOWHERE = Path("/nonexistent/llama-server")


class Noted(Lines):
    """Progress that keeps its notes."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes

    def note(self, message: str) -> None:
        self._notes.append(message)


def lock_of(project: Project) -> Lockfile:
    return read_lock(project, "small")


def test_a_lock_pins_the_prompts_of_its_engine(project: Project) -> None:
    lock = lock_of(project)
    assert lock.prompts
    assert lock.prompts.llama_cpp_commit == lock.engine.llama_cpp_commit
    assert len(set(lock.prompts.digests.values())) > 10
    assert make_lock(Session(project), "small").written is False


def test_what_is_pinned_stays_without_an_engine_while_nothing_that_decides_it_changes(project: Project) -> None:
    before = lock_of(project).prompts
    edit(project.specs / "small.yaml", "context: 1024", "context: 512")
    assert make_lock(Session(project, engine_path=NOWHERE), "small").written
    assert lock_of(project).prompts == before
    edit(project.specs / "small.yaml", "threads: 1", "threads: 1, overrides: {tokenizer.ggml.add_bos_token: true}")
    make_lock(Session(project, engine_path=NOWHERE), "small")
    assert lock_of(project).prompts is None
    make_lock(Session(project), "small")
    assert lock_of(project).prompts


def test_another_template_makes_other_prompts(project: Project) -> None:
    before = lock_of(project).prompts
    (project.specs / "own.jinja").write_text(zoo.value(zoo.TEMPLATE).replace("# Tools", "# My tools"))
    with (project.specs / "small.yaml").open("a") as file:
        file.write("chat: {template: own.jinja}\n")
    changes = {change.path for change in make_lock(Session(project), "small").changes}
    after = lock_of(project).prompts
    assert before and after
    assert before.digests["user"] == after.digests["user"]
    assert before.digests["tools"] != after.digests["tools"]
    assert "prompts.digests.tools" in changes and "prompts.digests.user" not in changes


def test_without_an_engine_there_is_a_note_and_a_lock(project: Project) -> None:
    notes = list[str]()
    session = Session(project, engine_path=NOWHERE)
    session.progress = Noted(notes)
    lock_path(project, "small").unlink()
    make_lock(session, "small")
    assert lock_of(project).prompts is None
    assert "prompts" not in lock_path(project, "small").read_text()
    assert any("its prompts are not locked: no llama-server at" in note for note in notes)


def test_prompts_that_change_with_the_day_are_not_pinned_until_the_day_is(tmp_path: Path) -> None:
    zoo.led("{{- strftime_now('%d %B %Y') -}}")(tmp_path / "clock.gguf")
    project = make_project(tmp_path / "project", tmp_path / "clock.gguf")
    assert lock_of(project).prompts is None
    with (project.specs / "small.yaml").open("a") as file:
        file.write("chat: {date: '2026-03-14'}\n")
    make_lock(Session(project), "small")
    first = lock_of(project).prompts
    edit(project.specs / "small.yaml", "03-14", "03-15")
    make_lock(Session(project), "small")
    second = lock_of(project).prompts
    assert first and second and first.digests["user"] != second.digests["user"]


@pytest.mark.parametrize("defect", ["no-template", "template-syntax-error"])
def test_a_model_that_has_no_prompts_is_locked_all_the_same(tmp_path: Path, defect: str) -> None:
    zoo.DEFECTS[defect].make(tmp_path / "broken.gguf")
    assert lock_of(make_project(tmp_path / "project", tmp_path / "broken.gguf")).prompts is None


def test_some_of_the_prompts_are_not_taken_for_all(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is too busy an engine may not answer in time."""
    notes = list[str]()
    session = Session(project)
    session.progress = Noted(notes)
    lock_path(project, "small").unlink()
    some = Prompts({"user": "Hello"}, {}, "no answer to 'turns': timed out")
    monkeypatch.setattr(prompting, "ask_prompts", lambda *_: some)
    make_lock(session, "small")
    assert lock_of(project).prompts is None
    assert "small: its prompts are not locked: no answer to 'turns': timed out" in notes


def test_a_template_of_tools_may_read_the_clock_alone(tmp_path: Path) -> None:
    clock = "{{- strftime_now('%d %B %Y') -}}" + str(zoo.value(zoo.TEMPLATE))
    zoo.changed(tokenizer__chat_template__tool_use=clock)(tmp_path / "clock.gguf")
    assert lock_of(make_project(tmp_path / "project", tmp_path / "clock.gguf")).prompts is None
