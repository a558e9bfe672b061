"""One engine after the other behind the same door, with the real engine, while clients ask without a pause."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from pipeline.core.errors import DeployError
from pipeline.core.project import Project
from pipeline.deploy.kept import keep
from pipeline.deploy.log import append, log_path
from pipeline.deploy.state import State, folder_of, read_state, write_state
from pipeline.deploy.switch import Switch, pending, write_switch
from pipeline.flow import deploying, ordering
from pipeline.flow.auditing import audit
from pipeline.flow.deploying import Deployed, Wanted, rollback, stop
from pipeline.flow.locking import make_lock
from pipeline.flow.session import Session
from pipeline.runtime.build import EngineBuild
from tests.deployments import Stream, crowd, key_of, log_of, put, requantize, stand, state_of
from tests.projects import alive, descendants, edit, flip, free_port, start, until

GIVEN = Wanted("local", port=0, override="a test")


@pytest.fixture
def deployed(tested: Project) -> Iterator[tuple[Project, Deployed]]:
    """A project whose ``small`` is deployed; nothing of it runs afterwards."""
    yield tested, put(tested, GIVEN)
    state = read_state(folder_of(tested.state, "small"))
    if state and state.keeper.running():
        os.kill(state.keeper.pid, signal.SIGKILL)


def actions(project: Project) -> list[str]:
    return [line.event.action for line in log_of(project).lines]


def test_another_quant_and_back_under_load_and_no_request_fails(deployed: tuple[Project, Deployed]) -> None:
    project, first = deployed
    before = state_of(project)
    assert first.state and before.engine
    requantize(project)
    locks = [first.line.event.lock, str(Session(project).current("small").digest)]
    with crowd(before) as clients:
        clients.more()
        second = put(project, GIVEN)
        switched = time.monotonic()
        clients.more()
        assert set(clients.since(switched)) == {locks[1]}
        after = state_of(project)
        assert second.state == after and after.entry == second.line.digest and not after.coming
        assert (after.keeper, after.url, after.key_file) == (before.keeper, before.url, before.key_file)
        assert after.engine and after.engine != before.engine and after.log != before.log
        assert stand(project, deep=True).sound and not pending(folder_of(project.state, "small"))

        back = rollback(Session(project), "small", 1)
        returned = time.monotonic()
        clients.more()
        assert set(clients.since(returned)) == {locks[0]}
        assert back.state and back.state.keeper == before.keeper and stand(project).sound
    assert not clients.faults
    assert {lock for *_, lock in clients.answers} == set(locks)
    until(lambda: before.engine and not alive(before.engine.pid) and after.engine and not alive(after.engine.pid))
    assert actions(project) == ["deploy", "deploy", "rollback"]
    found = audit(Session(project), "small")
    assert found.line == back.line and {link.name for link in found.links if link.broken} <= {"results", "decision"}
    stop(Session(project), "small")
    until(lambda: not before.keeper.running())
    assert not descendants(before.keeper.pid) and stand(project).word == "stopped"


def test_a_long_stream_that_began_before_ends_whole(deployed: tuple[Project, Deployed]) -> None:
    project, first = deployed
    before = state_of(project)
    requantize(project)
    stream = Stream(before, 900)
    second = put(project, GIVEN)
    assert second.state and before.engine and alive(before.engine.pid)
    with crowd(before, 1) as clients:
        clients.more(4)
    assert {lock for *_, lock in clients.answers} == {second.line.event.lock}
    assert stream.whole() and stream.pieces >= 900 and stream.lock == first.line.event.lock
    until(lambda: before.engine and not alive(before.engine.pid))
    assert stand(project).sound


def test_where_memory_forbids_two_at_once_requests_wait(
    deployed: tuple[Project, Deployed], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, first = deployed
    before = state_of(project)
    requantize(project)

    def small(*arguments: object) -> object:
        order = ordering.order_of(*arguments)  # type: ignore[arg-type]
        return replace(order, host=replace(order.host, memory=order.limit))

    monkeypatch.setattr(deploying, "order_of", small)
    with crowd(before) as clients:
        clients.more()
        second = put(project, GIVEN)
        switched = time.monotonic()
        assert before.engine and not alive(before.engine.pid)
        clients.more()
        assert set(clients.since(switched)) == {second.line.event.lock}
        edit(project.specs / "small.yaml", "sampling: {max_tokens: 16}", "chat: {template: ../broken.jinja}")
        refused = broken(project)
        with pytest.raises(DeployError, match=r"did not come up(.|\n)*what ran before goes on"):
            put(project, GIVEN)
        clients.more()
        assert refused not in clients.since(0.0)
    assert not clients.faults
    assert stand(project).sound and state_of(project).entry == second.line.digest
    assert first.state and state_of(project).keeper == first.state.keeper


def broken(project: Project) -> str:
    """Lock a chat template that the engine refuses; returns the lock's digest."""
    (project.root / "broken.jinja").write_text("{% for message in messages %}{{ message.content }")
    return str(make_lock(Session(project), "small").lock.digest)


def test_what_does_not_come_up_leaves_what_serves_alone(deployed: tuple[Project, Deployed]) -> None:
    project, first = deployed
    before = state_of(project)
    edit(project.specs / "small.yaml", "sampling: {max_tokens: 16}", "chat: {template: ../broken.jinja}")
    refused = broken(project)
    with crowd(before) as clients:
        clients.more()
        with pytest.raises(DeployError, match=r"small did not come up: (.|\n)*what ran before goes on") as error:
            put(project, GIVEN)
        clients.more()
    assert error.value.exit_code == 7
    assert not clients.faults and refused not in {lock for *_, lock in clients.answers}
    assert state_of(project) == before
    last = log_of(project).lines[-1].event
    assert actions(project) == ["deploy", "deploy", "failed"] and last.lock == refused
    assert last.options["never_answered"] and last.options["serving"] == first.line.digest
    found = stand(project)
    assert found.sound and found.line == first.line and found.word == "running"
    assert descendants(before.keeper.pid) == {before.engine.pid if before.engine else 0}


def test_bytes_that_change_in_the_last_moment_never_serve(deployed: tuple[Project, Deployed]) -> None:
    """The keeper hashes them again, whatever the command found."""
    project, first = deployed
    before = state_of(project)
    requantize(project)
    session = Session(project)
    lock = session.current("small")
    deploying.plan(session, lock, GIVEN)  # fetches
    keep(project.state, lock)
    flip(session.stored(lock).weights)
    event = replace(first.line.event, lock=str(lock.digest))
    line = append(log_path(project.state), event, datetime.now(UTC))
    folder = folder_of(project.state, "small")
    write_switch(folder, Switch(line.digest))
    until(lambda: not pending(folder))
    assert "other bytes than the lock names" in log_of(project).lines[-1].event.reason
    assert state_of(project) == before and stand(project).sound


@pytest.mark.parametrize("command", ["goes on", "is killed too"])
def test_a_keeper_that_is_killed_while_it_switches_leaves_nothing_behind(
    deployed: tuple[Project, Deployed], command: str
) -> None:
    project, first = deployed
    before = state_of(project)
    requantize(project)
    deploy = start("deploy", "small", "--override", "a test", "--json", project=project)
    until(lambda: state_of(project).coming, 90)
    assert stand(project).word in ("switching", "running")
    processes = descendants(before.keeper.pid)
    if command == "is killed too":
        deploy.kill()
        deploy.communicate()
    os.kill(before.keeper.pid, signal.SIGKILL)
    until(lambda: not before.keeper.running() and not any(alive(pid) for pid in processes))
    if command == "is killed too":
        found = stand(project)
        assert not found.sound and found.drift[-1] == "nothing keeps it up"
        assert put(project, GIVEN).state and stand(project).sound
        assert actions(project) == ["deploy", "deploy", "failed", "deploy"]
        return
    out, _ = deploy.communicate(timeout=60)
    said = json.loads(out)["message"]
    assert deploy.returncode == 7 and "what keeps it up ended" in said and "what ran before is running again" in said
    assert actions(project) == ["deploy", "deploy", "failed", "rollback"]
    assert stand(project).sound and log_of(project).lines[-1].event.lock == first.line.event.lock


def test_an_engine_that_crashes_while_the_next_one_comes_is_not_missed(deployed: tuple[Project, Deployed]) -> None:
    project, _ = deployed
    before = state_of(project)
    requantize(project)
    deploy = start("deploy", "small", "--override", "a test", "--json", project=project)
    until(lambda: state_of(project).coming, 90)
    assert before.engine
    os.kill(before.engine.pid, signal.SIGKILL)
    with crowd(before, 2) as clients:
        clients.more(4)
    out, err = deploy.communicate(timeout=60)
    assert deploy.returncode == 0, out + err
    assert not clients.faults and {lock for *_, lock in clients.answers} == {json.loads(out)["lock"]}
    assert stand(project).sound and actions(project) == ["deploy", "deploy"]


def test_after_the_switch_the_new_one_is_watched(deployed: tuple[Project, Deployed]) -> None:
    project, first = deployed
    requantize(project)
    second = put(project, GIVEN)
    old, new = (next(proof for proof in one.line.event.proof) for one in (first, second))
    state = state_of(project)
    assert state.engine
    flip(Path(old["path"]))  # nobody serves it any more
    os.kill(state.engine.pid, signal.SIGKILL)
    until(lambda: state_of(project).restarts == 1 and state_of(project).phase == "running")
    assert state_of(project).url == state.url and stand(project).sound
    flip(Path(new["path"]))
    until(lambda: state_of(project).phase == "out of service")
    found = stand(project)
    assert not found.sound and "other bytes" in found.reason and found.line == second.line
    until(lambda: not state.keeper.running())


def test_another_port_is_another_door(deployed: tuple[Project, Deployed]) -> None:
    project, first = deployed
    assert first.state
    port = free_port()
    second = put(project, replace(GIVEN, port=port))
    assert second.state and second.state.url.endswith(f":{port}") and second.state.keeper != first.state.keeper
    third = put(project, replace(GIVEN, port=None))
    assert third.state and third.state.url == second.state.url and third.state.keeper == second.state.keeper
    assert third.line.event.options["port"] == port


def test_a_stop_lets_what_is_being_answered_end(deployed: tuple[Project, Deployed]) -> None:
    project, _ = deployed
    stream = Stream(state_of(project), 600)
    stopping = threading.Thread(target=stop, args=(Session(project), "small"))
    stopping.start()
    stopping.join(1.0)
    assert stopping.is_alive() and stream.whole() and stream.pieces >= 600
    stopping.join()
    assert stand(project).word == "stopped" and not state_of(project).keeper.running()


def waits(state: State) -> int:
    """How many requests are in the queue."""
    text = httpx.get(f"{state.url}/metrics", headers=key_of(state), timeout=30, trust_env=False).text
    (line,) = [line for line in text.splitlines() if line.startswith("assay_waiting{")]
    return round(float(line.split()[-1]))


def test_who_waits_when_it_goes_out_of_service_is_told_why(
    deployed: tuple[Project, Deployed],
) -> None:
    project, first = deployed
    state = state_of(project)
    streams = [Stream(state, 900) for _ in range(2)]  # both slots
    said: list[httpx.Response] = []

    def wait() -> None:
        body = {"prompt": "Hello", "max_tokens": 4}
        said.append(
            httpx.post(f"{state.url}/v1/completions", json=body, headers=key_of(state), timeout=60, trust_env=False)
        )

    waiting = threading.Thread(target=wait)
    waiting.start()
    until(lambda: waits(state) == 1)
    flip(Path(first.line.event.proof[0]["path"]))
    waiting.join()
    assert said[0].status_code == 503 and "other bytes than the lock names" in said[0].text
    assert not any(one.whole() for one in streams)


def test_a_keeper_of_another_version_is_not_asked(deployed: tuple[Project, Deployed]) -> None:
    project, first = deployed
    folder = folder_of(project.state, "small")
    write_state(folder, replace(state_of(project), version="0.0.1"))
    second = put(project, GIVEN)
    assert first.state and second.state and second.state.keeper != first.state.keeper
    assert not first.state.keeper.running() and stand(project).sound


def test_the_next_engine_may_be_another_build(
    deployed: tuple[Project, Deployed], engine_build: EngineBuild, tmp_path: Path
) -> None:
    project, first = deployed
    for path in engine_build.files():
        copy = tmp_path / "engine" / path.parent.name / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    server = tmp_path / "engine" / engine_build.server.parent.name / engine_build.server.name
    session = Session(project, engine_path=server)
    with crowd(state_of(project)) as clients:
        clients.more()
        second = deploying.deploy(session, session.current("small"), GIVEN)
        clients.more()
    assert not clients.faults
    after = state_of(project)
    assert first.state and after.keeper == first.state.keeper and after.engine
    assert Path(f"/proc/{after.engine.pid}/exe").readlink() == server and second.line.event.argv[0] == str(server)
    assert stand(project, deep=True).sound
    os.kill(after.engine.pid, signal.SIGKILL)
    until(lambda: state_of(project).restarts == 1 and state_of(project).phase == "running")
    again = state_of(project).engine
    assert again and Path(f"/proc/{again.pid}/exe").readlink() == server and stand(project).sound
