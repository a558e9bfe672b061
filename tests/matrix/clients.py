"""Who brings a file from a hub: Assay, or the hub's own client. Both are driven by their command lines."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipeline.cli import main as cli
from pipeline.core.digest import Digest
from pipeline.store.layout import Store

ROOT = Path(__file__).parents[2]
TOKEN = "hf_of_the_failure_matrix"
# Whoever asks for another machine is noted, and gets nowhere.
GUARD = """\
import os, socket
_connect = socket.socket.connect
def connect(self, address):
    host = str(address[0]) if isinstance(address, tuple) else ""
    if host and not host.startswith("127.") and host not in ("::1", "localhost"):
        with open(os.environ["MATRIX_ASTRAY"], "a") as log:
            log.write(host + "\\n")
        raise OSError(101, "Network is unreachable")
    return _connect(self, address)
socket.socket.connect = connect
"""
_BOUNDED = """\
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code (None: it had to be ended), what it said, after how many seconds."""

    code: int | None
    out: str
    err: str
    seconds: float

    @property
    def said(self) -> str:
        return self.out + self.err


class Client(Protocol):
    """``place`` is where a file of these bytes stands under its final name; ``strangers`` are files that stand there and are not what
    their name says.
    """

    name: str
    folder: Path
    patience: float

    def aim(self, reference: str, endpoint: str, *, token: bool = True) -> None: ...

    def prepare(self) -> Done: ...

    def start(self, limit: int = 0) -> subprocess.Popen[str]: ...

    def finish(self, process: subprocess.Popen[str]) -> Done: ...

    def get(self) -> Done: ...

    def verify(self) -> Done: ...

    def place(self, name: str, content: bytes) -> Path: ...

    def strangers(self) -> list[Path]: ...


@dataclass
class Process:
    """What both clients share: a folder of their own, an environment, processes. ``inside`` lets Assay run its commands in this
    process, which saves the start-up of each.
    """

    folder: Path
    patience: float = 30.0
    environment: dict[str, str] = field(default_factory=dict)
    reference: str = ""
    inside: bool = True

    def aim(self, reference: str, endpoint: str, *, token: bool = True) -> None:
        """Say what shall be fetched, from which hub."""
        guard = self.folder / "guard"
        guard.mkdir(parents=True, exist_ok=True)
        (guard / "sitecustomize.py").write_text(GUARD)
        self.reference = reference
        self.environment = {
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(self.folder / "hf"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "MATRIX_ASTRAY": str(self.folder / "astray"),
            "PYTHONPATH": f"{guard}:{ROOT}",
            **({"HF_TOKEN": TOKEN} if token else {}),
        }

    @property
    def astray(self) -> list[str]:
        """The hosts beyond this machine that were asked."""
        log = self.folder / "astray"
        return log.read_text().split() if log.exists() else []

    def spawn(self, argv: list[str], limit: int = 0) -> subprocess.Popen[str]:
        """Start a process of this client; no file of it may become longer than ``limit`` bytes."""
        if limit:
            argv = [sys.executable, "-c", _BOUNDED, str(limit), *argv]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "ASSAY_"))}
        return subprocess.Popen(
            argv,
            cwd=self.folder,
            env={**clean, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    def finish(self, process: subprocess.Popen[str]) -> Done:
        """Wait for the end of a process."""
        began = time.monotonic()
        try:
            out, err = process.communicate(timeout=self.patience)
            code: int | None = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            code = None
        return Done(code, out, err, time.monotonic() - began)


class Assay(Process):
    """Assay in a project of one spec."""

    name = "assay"

    @property
    def store(self) -> Store:
        return Store(self.folder / ".assay" / "store")

    def aim(self, reference: str, endpoint: str, *, token: bool = True) -> None:
        super().aim(reference, endpoint, token=token)
        (self.folder / "specs").mkdir(exist_ok=True)
        (self.folder / "specs" / "m.yaml").write_text(f"name: m\nsource: {reference}\n")

    def prepare(self) -> Done:
        return self.run("lock", "m")

    def get(self) -> Done:
        return self.run("fetch", "m")

    def verify(self) -> Done:
        return self.run("verify", "--deep", "m")

    def start(self, limit: int = 0) -> subprocess.Popen[str]:
        return self.spawn(self._argv("fetch", "m"), limit)

    def run(self, *arguments: str) -> Done:
        """Run one command to its end."""
        if not self.inside:
            return self.finish(self.spawn(self._argv(*arguments)))
        out, err, began = io.StringIO(), io.StringIO(), time.monotonic()
        with redirect_stdout(out), redirect_stderr(err), _environment(self.environment):
            code = cli.run([*arguments, "--project", str(self.folder)])
        return Done(code, out.getvalue(), err.getvalue(), time.monotonic() - began)

    def place(self, name: str, content: bytes) -> Path:
        return self.store.path(Digest.of(content))

    def strangers(self) -> list[Path]:
        found = []
        for path in self.store.root.glob("blobs/**/*"):
            if path.is_symlink():
                found.append(path)
            elif path.is_file() and path.suffix == ".json":
                found += [] if path.with_suffix("").is_file() else [path]
            elif path.is_file() and (Digest.of_file(path).hex != path.name or path.stat().st_mode & 0o222):
                found.append(path)
        return found

    def _argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pipeline.cli.main", *arguments]


class HubClient(Process):
    """``hf download`` of huggingface_hub, run by ``python``, an interpreter that has it."""

    name = "huggingface_hub"
    python = sys.executable

    def prepare(self) -> Done:
        return Done(0, "", "", 0.0)

    def start(self, limit: int = 0) -> subprocess.Popen[str]:
        repo, file = self._wanted()
        return self.spawn(self._argv("download", repo, *([file] if file else ["--include", "*.gguf"])), limit)

    def get(self) -> Done:
        return self.finish(self.start())

    def verify(self) -> Done:
        return self.finish(self.spawn(self._argv("cache", "verify", self._wanted()[0])))

    def place(self, name: str, content: bytes) -> Path:
        """Return the file's place in the newest snapshot; before there is one, that of the blob behind it."""
        folder = self._folder()
        found = sorted(folder.glob(f"snapshots/*/{name}"), key=lambda path: path.lstat().st_mtime_ns)
        return found[-1] if found else folder / "blobs" / Digest.of(content).hex

    def strangers(self) -> list[Path]:
        blobs = [path for path in self._folder().glob("blobs/*") if len(path.name) == 64]
        return [path for path in blobs if path.is_symlink() or Digest.of_file(path).hex != path.name]

    def _wanted(self) -> tuple[str, str]:
        org, name, *file = self.reference.removeprefix("hf://").partition(":")[0].split("/")
        return f"{org}/{name}", "/".join(file)

    def _folder(self) -> Path:
        return self.folder / "hf" / "hub" / f"models--{self._wanted()[0].replace('/', '--')}"

    def _argv(self, *arguments: str) -> list[str]:
        return [self.python, "-m", "huggingface_hub.cli.hf", *arguments]


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("HF_")]:
        del os.environ[name]
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def until(condition: Callable[[], object], within: float = 30.0) -> bool:
    """Wait until something is so; tells whether it became so."""
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
