"""Deployments as their users meet them: real commands, a real engine, a real client."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from pipeline.core.project import Project
from pipeline.deploy.state import folder_of, read_state
from tests import zoo
from tests.deployments import answer, nothing_after
from tests.projects import alive, assay, command_of, descendants, flip, free_port, until


@pytest.fixture
def accepted(tested: Project) -> Iterator[Project]:
    """A project whose gate accepted ``small``; nothing of it runs afterwards."""
    assert assay("gate", "small", project=tested)[0] == 0
    with nothing_after(tested):
        yield tested


def ask(deployed: dict[str, Any]) -> str | None:
    key = Path(deployed["key_file"]).read_text().strip()
    with openai.OpenAI(base_url=deployed["url"], api_key=key, max_retries=0, timeout=60) as client:
        model = deployed["models"][1]
        said = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Hello!"}], max_tokens=8
        )
        return said.choices[0].message.content


def test_deploy_ask_tamper_status_rollback_audit(accepted: Project) -> None:
    first = answer(accepted, "deploy", "small", "--port", "0")
    assert ask(first)

    zoo.changed(general__name="newer")(accepted.root / "models" / "small.gguf")
    answer(accepted, "lock", "small")
    second = answer(accepted, "deploy", "small", "--port", "0", "--override", "the newer weights")
    assert second["weights"] != first["weights"] and ask(second)
    (stand,) = answer(accepted, "status")["deployments"]
    assert (stand["state"], stand["ok"], stand["weights"]) == ("running", True, second["weights"])
    found = answer(accepted, "audit", "small")
    assert found["verified"] and found["override"] == "the newer weights"

    blob = accepted.store / "blobs" / "sha256" / second["weights"][0][7:9] / second["weights"][0][7:]
    flip(blob)
    until(lambda: answer_of_status(accepted) == "out of service")
    code, out, _ = assay("status", project=accepted)
    assert code == 7 and "small  out of service" in out and "other bytes than the lock names" in out
    with pytest.raises(openai.APIConnectionError):
        ask(second)
    broken = answer(accepted, "audit", "small", code=5)
    assert {link["name"] for link in broken["links"] if not link["ok"]} >= {"process", "bytes"}

    third = answer(accepted, "rollback", "small")
    assert third["weights"] == first["weights"] and ask(third)
    code, out, _ = assay("audit", "small", project=accepted)
    assert code == 0, out
    assert out.startswith("small: verified, running since ")
    history = [
        line for line in out.splitlines() if "Z deploy " in line or "Z rollback " in line or "Z out-of-service " in line
    ]
    assert len(history) == 4 and "accepted" in out and "head      sha256:" in out

    assert answer(accepted, "stop", "small")["line"] == 5
    assert answer(accepted, "status")["deployments"][0]["state"] == "stopped"
    assert "stopped" in "\n".join(answer(accepted, "logs", "small")["keeper"]["lines"])


def answer_of_status(project: Project) -> str:
    state: str = json.loads(assay("status", "--json", project=project)[1])["deployments"][0]["state"]
    return state


def test_it_outlives_the_terminal(accepted: Project) -> None:
    """Its keeper is in a session of its own and holds no output of the command open."""
    deployed = answer(accepted, "deploy", "small", "--port", "0")
    state = read_state(folder_of(accepted.state, "small"))
    assert state and state.engine
    assert os.getsid(state.keeper.pid) == state.keeper.pid != os.getsid(0)
    assert state.engine.pid in descendants(state.keeper.pid)
    key = Path(deployed["key_file"]).read_text().strip()
    assert key not in command_of(state.keeper.pid) + command_of(state.engine.pid)
    assert assay("stop", "small", project=accepted)[0] == 0
    assert not alive(state.keeper.pid) and not alive(state.engine.pid)


def test_what_was_not_accepted_is_refused(tested: Project) -> None:
    code, out, err = assay("deploy", "small", project=tested)
    assert (code, out) == (1, "") and "there is no decision on small" in err and "--override REASON" in err
    code, _, err = assay("deploy", "small", "--target", "kube", project=tested)
    assert code == 2 and "name a folder" in err
    code, _, err = assay("deploy", "small", "--target", "kube", "-o", "out", "--override", "x", project=tested)
    assert code == 2 and "a container wants an image" in err and "--image NAME@sha256:" in err
    for options, said in (
        (("--image", "x"), "local runs the engine of this machine and takes no image"),
        (("-o", "out"), "local writes no files"),
        (("-o", "out", "--plan"), "local writes no files"),
        (("--target", "systemd", "-o", "out", "--image", "x"), "systemd runs the engine of this machine and takes no"),
        (("--target", "systemd", "-o", "out", "--port", "0"), "systemd starts later: nobody would know it"),
    ):
        code, out, err = assay("deploy", "small", *options, project=tested)
        assert (code, out) == (2, "") and said in err and "leave" in err
    for command in ("stop", "rollback", "logs", "audit"):
        code, _, err = assay(command, "small", project=tested)
        assert code == 7 and "small was never deployed" in err
    for command in ("stop", "rollback", "logs", "audit", "status"):
        code, _, err = assay(command, "smal", project=tested)
        assert code == 2 and "no spec 'smal'" in err and "did you mean small?" in err
    assert assay("status", project=tested)[:2] == (0, "nothing is deployed\n")


def test_what_a_unit_starts_answers(accepted: Project, tmp_path: Path) -> None:
    """Its two commands, run as systemd would read them; the sandbox is systemd's."""
    import shlex

    from pipeline.runtime.params import Listen

    port = free_port()
    answer(accepted, "deploy", "small", "--target", "systemd", "-o", "unit", "--port", str(port))
    folder = accepted.root / "unit"
    unit = (folder / "assay-small.service").read_text()
    (folder / "key").write_text("assay-0123456789abcdef\n")
    lines = dict(line.split("=", 1) for line in unit.splitlines() if line.startswith("ExecStart"))
    check = shlex.split(lines["ExecStartPre"].replace("/etc/assay", str(folder)))
    assert subprocess.run(check).returncode == 0
    argv = shlex.split(lines["ExecStart"].replace("%d", str(folder)).replace("%%", "%").replace("$$", "$"))
    env = dict(shlex.split(line[12:])[0].split("=", 1) for line in unit.splitlines() if line.startswith("Environment="))
    process = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: Listen("127.0.0.1", port).healthy())
        url, names = f"http://127.0.0.1:{port}/v1", ["small", "small"]
        assert ask({"key_file": str(folder / "key"), "url": url, "models": names})
    finally:
        process.kill()
        process.wait()
    (line, *_) = (folder / "assay-small.sha256").read_text().splitlines()
    flip(Path(line[66:]))
    assert subprocess.run(check, capture_output=True).returncode == 1
