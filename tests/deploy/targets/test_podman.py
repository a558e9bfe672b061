"""What is written for Compose, run for real: by podman, on an image that is a folder with the engine of this build.

It needs podman with runc or crun, as root, and a system where they can start containers. Elsewhere the tests say that they didn't run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.core.project import Project
from pipeline.flow.deploying import Wanted, plan
from pipeline.flow.session import Session
from pipeline.lock.load import read_lock
from pipeline.runtime.build import EngineBuild
from pipeline.store.layout import Store
from tests.deploy.orders import IMAGE
from tests.projects import flip, until

PROGRAMS = ("sh", "grep", "sha256sum", "curl")
# podman asks for more than a machine may allow.
LIMITS = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096")
HERE = "http://127.0.0.1:8080"


@dataclass
class Podman:
    """podman with a store of its own, and the folder that stands for the image."""

    command: tuple[str, ...]
    image: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command of it to its end."""
        plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.run([*self.command, *arguments], env=plain, capture_output=True, text=True, timeout=120)


def image_at(folder: Path, build: EngineBuild) -> Path:
    """Make what an image holds: the engine as /app/llama-server, what starts it, and their libraries."""
    for name in ("bin", "app", "lib", "proc", "sys", "dev", "etc", "run", "tmp", "model"):
        (folder / name).mkdir(parents=True)
    wanted = {Path("/bin") / name: Path(shutil.which(name) or name) for name in PROGRAMS}
    wanted[Path("/app/llama-server")] = build.server
    for place, program in wanted.items():
        shutil.copy(program, folder / place.relative_to("/"))
        told = subprocess.run(
            ["ldd", program], env=dict(build.environment), capture_output=True, text=True, check=True
        ).stdout
        for line in told.splitlines():
            library = Path(line.split(" => ")[-1].split(" (")[0].strip())
            if not library.is_absolute():
                continue
            ours = build.server.parents[1] in library.parents
            to = folder / "lib" / library.name if ours else folder / library.relative_to("/")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, to)
    return folder


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory, engine_build: EngineBuild) -> Podman:
    folder = tmp_path_factory.mktemp("podman")
    if not shutil.which("podman") or os.geteuid() or not all(map(shutil.which, PROGRAMS)):
        pytest.skip("NOT TESTED: written containers, since podman is not there, or we are not root")
    image = image_at(folder / "image", engine_build)
    said = []
    for runtime in ("crun", "runc"):
        if not shutil.which(runtime):
            continue
        own = ["--root", str(folder / "store"), "--runroot", str(folder / "run"), "--cgroup-manager", "cgroupfs"]
        own += ["--storage-driver", "vfs"]  # others leave a mount behind
        made = Podman(("podman", *own, "--runtime", runtime), image)
        tried = made.run("run", "--rm", "--network", "none", *LIMITS, "--rootfs", str(image), "/bin/sh", "-c", ":")
        if tried.returncode == 0:
            return made
        said.append(f"{runtime}: {tried.stderr.strip()[-200:]}")
    pytest.skip(f"NOT TESTED: written containers, since none starts here: {'; '.join(said)}")


@dataclass
class Composed:
    """The one service of a Compose file, and what podman is told for it."""

    podman: Podman
    service: dict[str, Any]
    name: str
    key: Path

    def start(self, *more: str) -> subprocess.CompletedProcess[str]:
        """Run it in a network of nobody, with all else as written."""
        service = self.service
        limits = service["deploy"]["resources"]["limits"]
        flags = ["--name", self.name, "--network", "none", *LIMITS, "--user", service["user"]]
        flags += ["--read-only"] if service["read_only"] else []
        flags += [f"--cap-drop={one}" for one in service["cap_drop"]]
        flags += [f"--security-opt={one.replace(':true', '')}" for one in service["security_opt"]]
        flags += ["--memory", limits["memory"], "--pids-limit", str(limits["pids"])]
        for name, value in service["environment"].items():
            flags += ["--env", f"{name}={_plain(value)}"]
        for volume in service["volumes"]:
            flags += [
                "--volume",
                f"{_plain(volume['source'])}:{volume['target']}:{'ro' if volume['read_only'] else 'rw'}",
            ]
        (secret,) = service["secrets"]
        flags += ["--volume", f"{self.key}:{secret['target']}:ro"]
        flags += ["--entrypoint", json.dumps([_plain(one) for one in service["entrypoint"]])]
        command = [_plain(one) for one in service["command"]]
        return self.podman.run("run", *more, *flags, "--rootfs", str(self.podman.image), *command)

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run something in it."""
        return self.podman.run("exec", self.name, *command)


def _plain(text: str) -> str:
    return text.replace("$$", "$")


@pytest.fixture
def composed(podman: Podman, tested: Project, tmp_path: Path) -> Iterator[Composed]:
    session = Session(tested)
    planned, _ = plan(session, session.current("small"), Wanted("compose", image=IMAGE))
    (service,) = yaml.safe_load(planned.files["compose.yaml"])["services"].values()
    key = tmp_path / "key"
    key.write_text("compose-0123456789abcdef\n")
    key.chmod(0o400)
    os.chown(key, 65534, 65534)
    tmp_path.chmod(0o755)
    yield Composed(podman, service, f"assay-{os.getpid()}", key)
    podman.run("rm", "--force", "--time", "1", f"assay-{os.getpid()}")


def test_a_container_hashes_serves_and_may_do_nothing_else(composed: Composed) -> None:
    begun = composed.start("--detach")
    assert begun.returncode == 0, begun.stderr
    kind, *health = composed.service["healthcheck"]["test"]
    assert kind == "CMD"
    until(lambda: composed.inside(*health).returncode == 0, 60)
    body = json.dumps({"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 4})
    for key, status in (("wrong-0123456789abcdef", "401"), ("compose-0123456789abcdef", "200")):
        told = composed.inside(
            *("curl", "--silent", "--write-out", "\n%{http_code}", "--header", f"Authorization: Bearer {key}"),
            *("--data", body, f"{HERE}/v1/chat/completions"),
        )
        assert told.stdout.splitlines()[-1] == status, told
    told = composed.inside("/bin/sh", "-c", "while read -r line; do echo $line; done < /proc/1/status")
    facts = dict(line.split(":", 1) for line in told.stdout.splitlines() if ":" in line)
    assert facts["Name"].strip() == "llama-server" and facts["Uid"].split() == ["65534"] * 4
    assert int(facts["CapEff"], 16) == int(facts["CapBnd"], 16) == 0 and facts["NoNewPrivs"].strip() == "1"
    for place in ("/app/llama-server", "/model/weights.gguf", "/lib/x"):
        assert composed.inside("/bin/sh", "-c", f"echo a >> {place}").returncode != 0


def test_a_container_with_other_bytes_does_not_start(composed: Composed, tested: Project) -> None:
    flip(Store(tested.store).path(read_lock(tested, "small").weights.digest))
    done = composed.start("--rm")
    assert done.returncode == 5 and "/model/weights.gguf: FAILED" in done.stdout + done.stderr, done


def test_a_container_with_another_engine_does_not_start(composed: Composed) -> None:
    composed.service["environment"]["ASSAY_LLAMA_CPP"] = "1234567"
    done = composed.start("--rm")
    assert done.returncode == 6 and "not of llama.cpp 1234567" in done.stderr, done
