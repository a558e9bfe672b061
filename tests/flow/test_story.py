"""The whole story of a deployment, told by real commands: tested, deployed, asked, replaced, attacked, rolled back, audited."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipeline.core.project import Project
from pipeline.deploy.log import log_path
from tests.deployments import answer, crowd, nothing_after, requantize, state_of
from tests.projects import alive, assay, descendants, flip, until

REQUESTS = 200


@pytest.fixture
def told(project: Project) -> Iterator[Project]:
    """A cold project; nothing of it runs afterwards."""
    with nothing_after(project):
        yield project


def accept(project: Project) -> None:
    """Run everything; the gate says yes."""
    answer(project, "run", "small")
    (decision,) = answer(project, "gate", "small")["decisions"]
    assert decision["accepted"]


def test_run_gate_deploy_ask_replace_tamper_roll_back_audit(told: Project) -> None:
    accept(told)
    first = answer(told, "deploy", "small", "--port", "0")
    state = state_of(told)
    with crowd(state) as clients:
        clients.more(REQUESTS)
    assert not clients.faults and {lock for *_, lock in clients.answers} == {first["lock"]}

    requantize(told)
    accept(told)
    with crowd(state) as clients:
        clients.more(20)
        second = answer(told, "deploy", "small")
        switched = time.monotonic()
        clients.more(20)
        assert set(clients.since(switched)) == {second["lock"]}
    assert not clients.faults
    served = Counter(lock for *_, lock in clients.answers)
    assert set(served) == {first["lock"], second["lock"]} and first["lock"] != second["lock"]
    assert (second["url"], second["key_file"]) == (first["url"], first["key_file"])
    (stand,) = answer(told, "status", "--deep")["deployments"]
    assert (stand["state"], stand["ok"], stand["lock"]) == ("running", True, second["lock"])

    digest = second["weights"][0].removeprefix("sha256:")
    running = state_of(told)
    processes = descendants(running.keeper.pid)
    flip(told.store / "blobs" / "sha256" / digest[:2] / digest)
    until(lambda: state_of(told).phase == "out of service" and not running.keeper.running())
    assert not any(alive(pid) for pid in processes)
    (stand,) = answer(told, "status", code=7)["deployments"]
    assert stand["state"] == "out of service" and "other bytes than the lock names" in stand["reason"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{first['url']}/models", trust_env=False)
    assert not answer(told, "audit", "small", code=5)["verified"]

    third = answer(told, "rollback", "small")
    assert (third["lock"], third["weights"]) == (first["lock"], first["weights"])
    with crowd(state_of(told)) as clients:
        clients.more(20)
    assert not clients.faults and {lock for *_, lock in clients.answers} == {first["lock"]}
    (stand,) = answer(told, "status", "--deep")["deployments"]
    assert stand["ok"]

    seen = answer(told, "audit", "small")
    history = [(line["action"], line["lock"]) for line in seen["history"]]
    locks = [first["lock"], second["lock"]]
    assert history == [
        ("deploy", locks[0]),
        ("deploy", locks[1]),
        ("out-of-service", locks[1]),
        ("rollback", locks[0]),
    ]
    assert seen["verified"] and all(link["ok"] for link in seen["links"])
    assert {"log", "process", "lock", "spec", "bytes", "decision", "results", "engine"} <= {
        link["name"] for link in seen["links"]
    }
    code, page, _ = assay("audit", "small", "--expect", second["digest"], project=told)
    assert code == 0 and page.startswith("small: verified, running since ")
    assert all(any(action in line and "Z" in line for line in page.splitlines()) for action, _ in history)

    path = log_path(told.state)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(locks[1].encode(), locks[0].encode(), 1))
    assert "was edited" in str(answer(told, "audit", "small", code=7)["links"])
    path.write_bytes(whole)
    answer(told, "stop", "small")
    assert answer(told, "audit", "small")["verified"] and not Path(f"/proc/{running.keeper.pid}").exists()
