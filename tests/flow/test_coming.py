"""What happens between the wish for another engine and its first answer; the real engine, held back before it is asked a first prompt."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import DeployError, EngineError
from pipeline.core.project import Project
from pipeline.deploy.log import Line
from pipeline.deploy.state import folder_of
from pipeline.deploy.switch import pending
from pipeline.flow import canary, coming, leaving
from pipeline.flow.auditing import audit
from pipeline.flow.backend import Backend
from pipeline.flow.coming import Coming
from pipeline.flow.deploying import Wanted, deploy, rollback
from pipeline.flow.session import Session
from pipeline.flow.supervise import Keeper
from tests.deployments import Stream, crowd, log_of, requantize, stand, state_of
from tests.projects import alive, descendants, flip, start, until


@dataclass
class Kept:
    """A deployment whose keeper runs in a thread of this process. Engines that come are held back until ``go``."""

    project: Project
    keeper: Keeper
    first: Line
    go: threading.Event
    held: list[Backend]
    said: list[str] = field(default_factory=list)

    def ask(self) -> threading.Thread:
        """Deploy another quantization, from a thread; returns when its engine is up and held back."""
        requantize(self.project)

        def put() -> None:
            session = Session(self.project)
            try:
                deploy(session, session.current("small"), Wanted("local", port=0, override="a test"))
                self.said.append("")
            except DeployError as error:
                self.said.append(error.message)
            except Begun as begun:
                self.said.append(f"a new keeper for line {begun.line.number}")

        before, thread = len(self.held), threading.Thread(target=put)
        thread.start()
        until(lambda: len(self.held) > before)
        return thread

    def actions(self) -> list[str]:
        return [line.event.action for line in log_of(self.project).lines]


@pytest.fixture
def kept(tested: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    go, held = threading.Event(), list[Backend]()

    def held_back(backend: Backend) -> None:
        held.append(backend)
        while not go.wait(0.05):
            backend.look()
        canary.canary(backend)

    monkeypatch.setattr(coming, "canary", held_back)
    monkeypatch.setattr("pipeline.flow.deploying.begin", begin_nothing)
    session = Session(tested)
    wanted = Wanted("local", port=0, override="a test")
    with pytest.raises(Begun) as begun:
        deploy(session, session.current("small"), wanted)
    keeper = Keeper(tested, begun.value.line)
    running = threading.Thread(target=keeper.run)
    running.start()
    go.set()
    until(lambda: state_of(tested).phase == "running")
    go.clear()
    yield Kept(tested, keeper, begun.value.line, go, held)
    go.set()
    keeper.stopping.set()
    running.join()
    assert not any(alive(one.process.pid) for one in held)


class Begun(Exception):
    def __init__(self, line: Line) -> None:
        self.line = line


def begin_nothing(session: Session, line: Line, *_: Any, **__: Any) -> None:
    raise Begun(line)


def test_until_it_answers_what_is_there_serves_and_status_and_audit_are_of_that(kept: Kept) -> None:
    before = state_of(kept.project)
    putting = kept.ask()
    new = log_of(kept.project).lines[-1]
    found = stand(kept.project, deep=True)
    assert (found.word, found.sound, found.line, found.coming) == ("switching", True, kept.first, new)
    state = state_of(kept.project)
    assert (state.coming, state.engine, state.phase) == (new.digest, before.engine, "running")
    seen = audit(Session(kept.project), "small")
    assert seen.line == kept.first and not [
        one for one in seen.links if one.name in ("process", "bytes") and one.broken
    ]
    with crowd(before, 2) as clients:
        clients.more(4)
    assert {lock for *_, lock in clients.answers} == {kept.first.event.lock}
    kept.go.set()
    putting.join()
    assert kept.said == [""] and stand(kept.project).line == new and stand(kept.project).coming is None


def test_a_stop_meanwhile_ends_both_and_tells_what_never_answered(kept: Kept) -> None:
    putting = kept.ask()
    kept.keeper.stopping.set()
    until(lambda: state_of(kept.project).over)
    putting.join()
    *_, failed, again = log_of(kept.project).lines
    assert failed.event.options["never_answered"] and failed.event.reason == "it was stopped before it answered"
    assert not pending(folder_of(kept.project.state, "small"))
    assert kept.actions() == ["deploy", "deploy", "failed", "rollback"] and again.event.lock == kept.first.event.lock
    assert kept.said == ["a new keeper for line 4"]


def test_the_next_command_waits_for_what_the_one_before_asked_for(kept: Kept) -> None:
    requantize(kept.project)
    asked = len(kept.held)
    dead = start("deploy", "small", "--override", "a test", project=kept.project)
    until(lambda: len(kept.held) > asked)
    dead.kill()
    dead.communicate()
    backs: list[str] = []
    back = threading.Thread(target=lambda: backs.append(rollback(Session(kept.project), "small", 1).line.event.action))
    back.start()
    back.join(1.0)
    assert back.is_alive() and kept.actions() == ["deploy", "deploy"]
    kept.go.set()
    back.join()
    assert backs == ["rollback"] and kept.actions() == ["deploy", "deploy", "rollback"]
    assert stand(kept.project).sound and state_of(kept.project).models == kept.held[-1].upstream.names


def test_when_the_files_of_what_serves_change_meanwhile_the_next_takes_over(kept: Kept) -> None:
    putting = kept.ask()
    old = kept.held[0]
    flip(Path(kept.first.event.proof[0]["path"]))
    until(lambda: not alive(old.process.pid))
    with crowd(state_of(kept.project), 2) as clients:
        kept.go.set()
        putting.join()
        clients.more(4)
    assert kept.said == [""] and not clients.faults
    new = log_of(kept.project).lines[1]
    assert {lock for *_, lock in clients.answers} == {new.event.lock}
    assert kept.actions() == ["deploy", "deploy", "out-of-service"]
    assert "other bytes" in log_of(kept.project).lines[-1].event.reason
    found = stand(kept.project)
    assert found.sound and found.line == new


def test_when_both_fail_it_is_out_of_service_and_says_so(kept: Kept) -> None:
    putting = kept.ask()
    flip(Path(kept.first.event.proof[0]["path"]))
    until(lambda: not alive(kept.held[0].process.pid))
    os.kill(kept.held[1].process.pid, signal.SIGKILL)
    putting.join()
    until(lambda: state_of(kept.project).over)
    assert kept.actions() == ["deploy", "deploy", "failed", "out-of-service"]
    assert "killed by SIGKILL" in kept.said[0]
    found = stand(kept.project)
    assert (found.word, found.sound, found.line) == ("out of service", False, kept.first)


def test_what_is_given_up_leaves_nothing_behind(kept: Kept) -> None:
    before = descendants(os.getpid())
    one = Coming(kept.project, kept.first, None)
    assert not one.wait(0.0)
    until(lambda: len(kept.held) == 2)
    one.give_up()
    assert not alive(kept.held[1].process.pid)
    assert one.wait(0.0)
    with pytest.raises(EngineError):
        one.result()
    early = Coming(kept.project, kept.first, None)
    early.give_up()
    assert descendants(os.getpid()) == before


@pytest.mark.parametrize("why", ["it took too long", "its files changed"])
def test_an_engine_that_was_replaced_is_not_let_go_on_for_ever(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(leaving, "DRAIN_WITHIN", 1.0 if why == "it took too long" else 600.0)
    stream, old = Stream(state_of(kept.project), 900), kept.held[0]
    putting = kept.ask()
    kept.go.set()
    putting.join()
    if why == "its files changed":
        assert alive(old.process.pid)
        flip(Path(kept.first.event.proof[0]["path"]))
    until(lambda: not alive(old.process.pid))
    assert not stream.whole()
    assert kept.said == [""] and stand(kept.project).sound and kept.actions() == ["deploy", "deploy"]
    assert ("other bytes than the lock names" in capfd.readouterr().out) is (why == "its files changed")
