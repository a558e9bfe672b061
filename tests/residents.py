"""Several models behind one door, as ``assay serve`` has them: a real process, real engines, real clients."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from pipeline.core.project import Project
from pipeline.flow.locking import make_lock
from pipeline.flow.ordering import Wanted, order_of
from pipeline.flow.prepare import fetch_all
from pipeline.flow.session import Session
from pipeline.lock.load import read_lock
from pipeline.runtime.build import find_engine
from pipeline.store.layout import Store
from tests.projects import SPEC, alive, command_of, descendants, start, until
from tests.zoo import rewrite

NAMES = ("small", "other", "third")
HELLO = [{"role": "user", "content": "Hello!"}]
HOLDING = """\
#!/bin/sh
for mark in "$0".*; do
    case " $*" in *" --alias ${mark##*.},"*) rm "$mark" && kill -STOP $$ ;; esac
done
exec SERVER "$@"
"""


def make_several(project: Project) -> Project:
    """Add models to a project with ``small``: all fit and are in the store, but for ``broken``, which no engine loads."""
    for name in ("other", "third", "broken"):
        changes = {"tokenizer.ggml.pre": "no-such"} if name == "broken" else {"general.name": name}
        rewrite(project.root / "models" / f"{name}.gguf", changes)
        spec = SPEC.replace("small", name)
        (project.specs / f"{name}.yaml").write_text(spec.replace("slots: 2", "slots: 1") if name == "third" else spec)
        make_lock(Session(project), name)
    session = Session(project)
    fetch_all(session, [session.current(name) for name in (*NAMES, "broken")])
    return project


@dataclass
class Holding:
    """The engine, whose next process for a model stops where it would begin to load it, once ``hold`` asked for it."""

    server: Path

    def hold(self, name: str) -> None:
        self.server.with_name(f"{self.server.name}.{name}").touch()


def holding(folder: Path) -> Holding:
    """Make such an engine: a script before the real one, with its libraries beside it."""
    real, server = find_engine().server, folder / "bin" / "llama-server"
    server.parent.mkdir(parents=True)
    (folder / "lib").symlink_to(real.parent.parent / "lib")
    server.write_text(HOLDING.replace("SERVER", shlex.quote(str(real))))
    server.chmod(0o755)
    return Holding(server)


def size_of(project: Project, name: str) -> int:
    session = Session(project)
    return order_of(session, session.current(name), Wanted("local"), "").limit


def blob_of(project: Project, name: str) -> Path:
    return Store(project.store).path(read_lock(project, name).weights.digest)


@dataclass
class Served:
    """What ``assay serve`` serves."""

    process: subprocess.Popen[str]
    content: dict[str, Any]
    said: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        return Path(self.content["key_file"]).read_text().strip()

    @property
    def root(self) -> str:
        return str(self.content["url"]).removesuffix("/v1")

    def client(self, key: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return httpx.Client(base_url=self.content["url"], headers=headers, timeout=60, trust_env=False)

    def ask(self, model: str | None, tokens: int = 4) -> httpx.Response:
        body = {"messages": HELLO, "max_tokens": tokens, **({"model": model} if model else {})}
        with self.client() as client:
            return client.post("/chat/completions", json=body)

    def get(self, path: str) -> httpx.Response:
        with self.client() as client:
            return client.get(path)

    def states(self) -> dict[str, str]:
        return {one["id"]: one["status"]["value"] for one in self.get("/models").json()["data"]}

    def engines(self) -> dict[str, int]:
        """Return the processes of the engines by the name that each has."""
        found = {}
        for pid in descendants(self.process.pid):
            if named := re.search(r"llama-server .*--alias ([a-z]+),", command_of(pid)):
                found[named[1]] = pid
        return found

    def held(self, name: str) -> int:
        """Wait until the engine of a model stopped before it loads it; returns its process."""
        until(lambda: stopped(self.engines().get(name)))
        assert self.states()[name] == "loading"
        return self.engines()[name]

    def end(self, number: signal.Signals = signal.SIGINT, within: float = 20.0) -> int:
        """End it, and see that nothing is left of it."""
        pids, commands = descendants(self.process.pid), [command_of(pid) for pid in self.engines().values()]
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(within)
        until(lambda: not any(alive(pid) for pid in pids), 5)
        sockets = [Path(found[1]) for command in commands if (found := re.search(r"--host (\S+)", command))]
        assert len(sockets) == len(commands) and not any(path.parent.exists() for path in sockets)
        assert "Traceback" not in "".join(self.said)
        return code


Begin = Callable[..., Served]


def stopped(pid: int | None) -> bool:
    try:
        return pid is not None and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def served(project: Project, *arguments: str) -> Iterator[Served]:
    """Start ``assay serve`` and wait for what it says once the door is open."""
    process = start("serve", *arguments, "--port", "0", "--json", project=project)
    said: list[str] = []
    try:
        assert process.stdout and process.stderr
        reading = threading.Thread(target=lambda: said.extend(iter(process.stderr.readline, "")))  # type: ignore[union-attr]
        reading.start()
        text = ""
        while not text.endswith("\n}\n"):
            line = process.stdout.readline()
            if not line:
                raise AssertionError((process.wait(), said))
            text += line
        yield Served(process, json.loads(text), said)
    finally:
        quieted(process)
        reading.join()
        if process.stderr:
            process.stderr.close()


def quieted(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
