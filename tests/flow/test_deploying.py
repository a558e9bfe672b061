from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.core.errors import AssayError, DeployError, UsageError
from pipeline.core.project import Project
from pipeline.deploy.kept import kept_path
from pipeline.deploy.log import log_path
from pipeline.deploy.state import folder_of
from pipeline.flow.deploying import NotAccepted, Wanted, plan, rollback, stop
from pipeline.flow.judge import judge
from pipeline.flow.locking import make_lock
from pipeline.flow.pruning import prune_store, wanted
from pipeline.flow.session import Session
from tests.deployments import ask, log_of, newer, put, stand, state_of
from tests.projects import alive, edit, flip, until


def test_what_was_accepted_is_deployed_answers_and_stops(put_away: Project) -> None:
    done = put(put_away)
    state = state_of(put_away)
    assert done.state == state and state.phase == "running" and state.engine
    assert ask(state)
    event = log_of(put_away).lines[0].event
    lock = Session(put_away).current("small")
    assert (event.action, event.lock, event.weights) == ("deploy", str(lock.digest), (lock.weights.sha256,))
    assert event.decision and event.override is None and event.actor["uid"] == os.getuid()
    assert {proof["sha256"] for proof in event.proof} >= {lock.weights.sha256}
    assert any(proof["path"].endswith("llama-server") for proof in event.proof)
    found = stand(put_away, deep=True)
    assert (found.word, found.drift, found.sound) == ("running", (), True)

    key = Path(state.key_file).read_text().strip()
    assert key not in log_path(put_away.state).read_text() + (folder_of(put_away.state, "small") / "log").read_text()

    stop(Session(put_away), "small")
    until(lambda: not state.keeper.running())
    assert not alive(state.engine.pid)
    assert [line.event.action for line in log_of(put_away).lines] == ["deploy", "stop"]
    assert stand(put_away).word == "stopped" and stand(put_away).sound


def test_the_whole_story(put_away: Project) -> None:
    """Deploy, deploy what is newer, tamper with its blob: it is out of service; roll back: the first answers again."""
    first = put(put_away)
    newer(put_away)
    second = put(put_away)
    assert second.line.event.lock != first.line.event.lock
    state = state_of(put_away)
    assert first.state and (state.keeper, state.url) == (first.state.keeper, first.state.url)
    assert ask(state) and state.engine and state.engine != first.state.engine

    session = Session(put_away)
    flip(session.stored(session.current("small")).weights)
    until(lambda: state_of(put_away).phase == "out of service")
    assert not alive(state.engine.pid)
    with pytest.raises(httpx.TransportError):
        ask(state)
    found = stand(put_away)
    assert not found.sound and found.word == "out of service" and "other bytes" in found.reason

    back = rollback(Session(put_away), "small", 1)
    assert (back.line.event.action, back.line.event.lock) == ("rollback", first.line.event.lock)
    assert ask(state_of(put_away)) and stand(put_away).sound
    actions = [line.event.action for line in log_of(put_away).lines]
    assert actions == ["deploy", "deploy", "out-of-service", "rollback"]
    with pytest.raises(UsageError, match="can't go back 1: 0 earlier"):
        rollback(Session(put_away), "small", 1)


def test_after_a_crash_it_is_started_again_where_it_was(put_away: Project) -> None:
    put(put_away)
    before = state_of(put_away)
    assert before.engine
    os.kill(before.engine.pid, signal.SIGKILL)
    until(lambda: state_of(put_away).restarts == 1 and state_of(put_away).phase == "running")
    after = state_of(put_away)
    assert after.url == before.url and after.engine != before.engine and ask(after)
    assert stand(put_away).sound


def test_a_keeper_that_is_killed_takes_its_engine_along_and_is_missed(put_away: Project) -> None:
    put(put_away)
    state = state_of(put_away)
    assert state.engine
    os.kill(state.keeper.pid, signal.SIGKILL)
    until(lambda: state.engine and not alive(state.engine.pid) and not state.keeper.running())
    found = stand(put_away)
    assert not found.sound and "the process that keeps it up is gone" in found.drift[0]
    assert put(put_away).state and stand(put_away).sound


def test_what_the_gate_did_not_accept_is_refused_unless_there_is_a_reason(tested: Project, tmp_path: Path) -> None:
    with pytest.raises(NotAccepted, match="there is no decision on small") as error:
        put(tested)
    assert error.value.exit_code == 1
    edit(tested.specs / "small.yaml", "few.acc: {min: 0}", "few.acc: {min: 2}")
    session = Session(tested)
    judge(session, make_lock(session, "small").lock)
    with pytest.raises(NotAccepted, match=r"rejected small[^:]*:\n  (fail|unknown)"):
        put(tested)
    assert not log_path(tested.state).exists()
    put(tested, Wanted("systemd", override="the demo is today", output=tmp_path / "out"))
    assert log_of(tested).lines[0].event.override == "the demo is today"


def test_a_plan_does_nothing(accepted: Project) -> None:
    session = Session(accepted)
    planned, decision = plan(session, session.current("small"), Wanted("systemd"))
    assert decision and decision.accepted and set(planned.files) == {"assay-small.service", "assay-small.sha256"}
    assert not log_path(accepted.state).exists()


def test_written_files_are_watched_for_edits(accepted: Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    put(accepted, Wanted("systemd", output=out))
    assert stand(accepted).word == "written" and stand(accepted).sound
    edit(out / "assay-small.service", "NoNewPrivileges=yes", "NoNewPrivileges=no")
    found = stand(accepted)
    assert not found.sound and "edited since it was written" in found.drift[0]
    rollback_needs_one(accepted)


def rollback_needs_one(project: Project) -> None:
    with pytest.raises(UsageError, match="0 earlier on record"):
        rollback(Session(project), "small", 1)


def test_what_does_not_come_up_is_recorded_and_what_ran_before_is_back(put_away: Project) -> None:
    put(put_away)
    first = state_of(put_away)
    with httpx.Client() as _:
        port = int(first.url.rpartition(":")[2])
    newer(put_away)
    with pytest.raises(DeployError, match=r"did not come up(.|\n)*what ran before is running again"):
        put(put_away, Wanted("local", port=1 if os.getuid() else taken(port)))
    actions = [line.event.action for line in log_of(put_away).lines]
    assert actions == ["deploy", "deploy", "failed", "rollback"]
    assert ask(state_of(put_away)) and stand(put_away).sound
    assert log_of(put_away).lines[-1].event.lock == log_of(put_away).lines[0].event.lock


def taken(other: int) -> int:
    """A port on which something of ours listens until the tests end."""
    import socket

    held = socket.create_server(("127.0.0.1", 0))
    _HELD.append(held)
    port: int = held.getsockname()[1]
    assert port != other
    return port


_HELD: list[Any] = []


@pytest.fixture(autouse=True)
def let_go() -> Iterator[None]:
    yield
    while _HELD:
        _HELD.pop().close()


def test_bytes_that_are_wrong_leave_what_runs_alone(put_away: Project) -> None:
    put(put_away)
    newer(put_away)
    session = Session(put_away)
    flip(session.stored(session.current("small")).weights)
    with pytest.raises(AssayError, match="other bytes"):
        put(put_away)
    assert ask(state_of(put_away)) and stand(put_away).sound
    assert [line.event.action for line in log_of(put_away).lines] == ["deploy"]


def test_a_log_that_was_edited_stops_everything(put_away: Project) -> None:
    put(put_away)
    path = log_path(put_away.state)
    path.write_bytes(path.read_bytes().replace(b'"action":"deploy"', b'"action":"deplox"'))
    for act in (lambda: stand(put_away), lambda: put(put_away), lambda: rollback(Session(put_away), "small", 1)):
        with pytest.raises(DeployError, match="line 1: was edited"):
            act()


def test_prune_keeps_what_a_rollback_needs(accepted: Project, tmp_path: Path) -> None:
    put(accepted, Wanted("systemd", output=tmp_path / "out"))
    old = Session(accepted).current("small")
    newer(accepted)
    session = Session(accepted)
    assert old.weights.digest in wanted(accepted, session.store)
    prune_store(session, dry_run=False)
    assert session.store.has(old.weights.digest)
    path = kept_path(accepted.state, old.digest)
    path.chmod(0o644)
    path.write_text(json.dumps({}))
    with pytest.raises(AssayError, match="is not the lock that was deployed"):
        wanted(accepted, session.store)


def test_libraries_that_were_replaced_are_seen(put_away: Project) -> None:
    """The keeper compares the live process and all its files with the record, and takes it out of service."""
    put(put_away)
    state = state_of(put_away)
    line = log_of(put_away).lines[-1]
    weights = Path(line.event.proof[0]["path"])
    copy = weights.with_name(f"{weights.name}.copy")
    copy.write_bytes(weights.read_bytes())
    copy.chmod(0o444)
    copy.replace(weights)
    until(lambda: state_of(put_away).phase == "out of service")
    assert state.engine and not alive(state.engine.pid)
    assert "replaced" in stand(put_away).reason
