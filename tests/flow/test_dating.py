from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pipeline.core.errors import LockOutOfDate, UsageError
from pipeline.flow.dating import dated_path
from pipeline.flow.fixing import fix
from pipeline.flow.locking import make_lock
from pipeline.flow.prepare import check, fetch_all
from pipeline.flow.session import Session
from pipeline.flow.stages import subject_stored
from pipeline.lint.engine import lint
from pipeline.lock.load import lock_path, read_lock
from pipeline.lock.model import Lockfile
from pipeline.runtime.server import running
from tests import zoo
from tests.projects import edit, make_project

SPEC = "name: small\nsource: file:../models/small.gguf\nengine: {context: 1024, threads: 1}\n"
MACRO = "{%- macro day() -%}{{ date_string }}{%- endmacro -%}{{ day() }} {{ datetime }}|"
BOTH = f"{MACRO}{{% if strftime_now is defined %}}{{{{ strftime_now('%A %-d') }}}}{{% endif %}}"


def made(folder: Path, head: str, spec: str = SPEC) -> Session:
    """A project on a model whose chat template begins with ``head``."""
    zoo.led(head or "{#- -#}")(folder / "clock.gguf")
    project = make_project(folder / "project", folder / "clock.gguf")
    (project.specs / "small.yaml").write_text(spec)
    make_lock(Session(project), "small")
    return Session(project)


def prompt(session: Session, **more: object) -> str:
    """The prompt that the locked model is served with."""
    lock = session.current("small")
    fetch_all(session, [lock])
    stored = session.stored(lock)
    body = {"messages": [{"role": "user", "content": "Hello!"}], **more}
    with running(session.engine, lock, weights=stored.weights, template=stored.template, threads=1) as server:
        return str(server.client.post("/apply-template", json=body).json()["prompt"])


def codes(session: Session) -> list[str]:
    lock = session.current("small")
    fetch_all(session, [lock])
    return [finding.code for finding in lint(subject_stored(session.stored(lock)))]


def lock_of(session: Session) -> Lockfile:
    return read_lock(session.project, "small")


def test_the_day_of_the_spec_is_served(tmp_path: Path) -> None:
    session = made(tmp_path, BOTH)
    assert "A118" in codes(session)
    fixed = fix(session, "small", codes=["A118"], today=date(2026, 3, 14))
    assert [one.code for one in fixed.mended] == ["A118"]
    assert (session.project.specs / "small.yaml").read_text() == SPEC + 'chat:\n  date: "2026-03-14"\n'
    make_lock(session, "small")
    assert "A118" not in codes(session)
    want = "14 Mar 2026 Mar 14 2026|Saturday 14<|im_start|>user"
    assert prompt(session).startswith(want)
    # A request can't move it either: what is pinned is what was tested.
    assert prompt(session, chat_template_kwargs={"date_string": "1 Jan 1970"}).startswith(want)


def test_the_template_with_the_day_lies_beside_the_lock_and_is_locked(tmp_path: Path) -> None:
    session = made(tmp_path, "{{- strftime_now('%d %B %Y') -}}", SPEC + "chat: {date: '2026-03-14'}\n")
    path = dated_path(session.project, "small")
    assert path.read_text() == "{{- '14 March 2026' -}}" + zoo.value(zoo.TEMPLATE)
    lock = lock_of(session)
    assert lock.template == lock.dated_template
    assert lock.template and lock.template.urls == ("file:lockfiles/small.dated.jinja",)
    assert not make_lock(session, "small").written
    path.write_text("other")
    assert [change.path for change in check(session, "small")] == ["files.chat_template.sha256"]
    make_lock(session, "small")
    assert check(session, "small") == []
    assert "14 March" in path.read_text()


def test_another_day_is_another_lock_and_none_takes_the_template_away(tmp_path: Path) -> None:
    session = made(tmp_path, "{{- strftime_now('%d %B %Y') -}}", SPEC + "chat: {date: '2026-03-14'}\n")
    before = lock_of(session)
    edit(session.project.specs / "small.yaml", "03-14", "03-15")
    with pytest.raises(LockOutOfDate):
        session.current("small")
    make_lock(session, "small")
    assert lock_of(session).template != before.template
    (session.project.specs / "small.yaml").write_text(SPEC)
    make_lock(session, "small")
    assert lock_of(session).template is None
    assert not dated_path(session.project, "small").exists()


def test_what_is_dated_is_the_template_of_the_spec_where_it_names_one(tmp_path: Path) -> None:
    session = made(tmp_path, "")
    (session.project.specs / "own.jinja").write_text("{{ date_string }}" + zoo.value(zoo.TEMPLATE))
    (session.project.specs / "small.yaml").write_text(SPEC + "chat: {date: '2026-03-14', template: own.jinja}\n")
    make_lock(session, "small")
    assert [file.path for file in lock_of(session).files] == ["small.gguf", "own.jinja", "small.dated.jinja"]
    assert prompt(session).startswith("14 Mar 2026<|im_start|>")
    edit(session.project.specs / "own.jinja", "{{ date_string }}", "On {{ date_string }}")
    assert [change.path for change in check(session, "small")] == ["files.chat_template.sha256"]
    make_lock(session, "small")
    assert prompt(session).startswith("On 14 Mar 2026")


def test_a_template_that_reads_no_clock_needs_none_of_it(tmp_path: Path) -> None:
    session = made(tmp_path, "{#- no clock -#}", SPEC + "chat: {date: '2026-03-14'}\n")
    assert lock_of(session).template is None
    assert not dated_path(session.project, "small").exists()
    assert prompt(session).startswith("<|im_start|>user")


def test_a_clock_that_can_not_be_pinned_is_told(tmp_path: Path) -> None:
    session = made(tmp_path, "{%- set form = '%d' -%}{{- strftime_now(form) -}}")
    before = lock_path(session.project, "small").read_bytes()
    (session.project.specs / "small.yaml").write_text(SPEC + "chat: {date: '2026-03-14'}\n")
    with pytest.raises(UsageError, match="can't be pinned"):
        make_lock(session, "small")
    assert lock_path(session.project, "small").read_bytes() == before
