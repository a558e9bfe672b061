"""Small projects on the embedded model: everything a real one has, and a main job of a few seconds."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.core.project import Project
from pipeline.flow.locking import make_lock
from pipeline.flow.session import Session

SPEC = """\
name: small
source: file:../models/small.gguf
license: {allow: [apache-2.0]}
engine: {context: 1024, slots: 2, threads: 1}
sampling: {max_tokens: 16}
checks: [greeting]
evals: [few]
bench: {prefill: [16], decode: [4], repetitions: 3, streams: [1], requests: 2, max_tokens: 4, budget: 0}
gates: {lint: error, metrics: {few.acc: {min: 0}}}
"""
GREETING = """\
kind: behaviour
version: "1"
license: CC0-1.0
source: written for this test
group: greeting
max_tokens: 16
expect: {not_empty: true}
cases:
  - {id: hello, about: It answers., turns: [{user: Hello!}]}
"""
FEW = """\
kind: multiple_choice
version: "1"
description: Four capitals.
license: CC0-1.0
source: written for this test
prompt: chat
context: "<|im_start|>user\\n{question}<|im_end|>\\n<|im_start|>assistant\\n"
choice: "{choice}<|im_end|>"
data: items.jsonl
"""
CAPITALS = {"France": "Paris", "Italy": "Rome", "Norway": "Oslo", "Spain": "Madrid"}


def make_project(root: Path, weights: Path) -> Project:
    """Write a project with one spec, ``small``, and lock it. Its store is empty."""
    for name in ("specs", "models", "evals/greeting", "evals/few"):
        (root / name).mkdir(parents=True)
    shutil.copy(weights, root / "models" / "small.gguf")
    (root / "specs" / "small.yaml").write_text(SPEC)
    (root / "evals" / "greeting" / "suite.yaml").write_text(GREETING)
    (root / "evals" / "few" / "suite.yaml").write_text(FEW)
    choices = [f"The capital is {city}." for city in CAPITALS.values()]
    lines = [
        json.dumps(
            {
                "id": land,
                "skill": "capitals",
                "question": f"What is the capital of {land}?",
                "choices": choices,
                "answer": number,
            }
        )
        for number, land in enumerate(CAPITALS)
    ]
    (root / "evals" / "few" / "items.jsonl").write_text("\n".join(lines) + "\n")
    project = Project(root)
    make_lock(Session(project), "small")
    shutil.rmtree(project.state, ignore_errors=True)
    return project


def edit(path: Path, old: str, new: str) -> None:
    """Replace one piece of a text file."""
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
    path.write_text(text.replace(old, new))


def flip(path: Path, at: int = -1) -> None:
    """Flip one bit of a stored blob; its size, its times and its inode stay."""
    before = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
        byte = file.read(1)[0]
        file.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
        file.write(bytes([byte ^ 1]))
    path.chmod(0o444)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)


def start(*arguments: str, project: Project, **environment: str) -> subprocess.Popen[str]:
    """Start a real ``assay`` in a project, with a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli.main", *arguments],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def finish(process: subprocess.Popen[str], within: float = 60.0) -> tuple[int, str, str]:
    """Wait for the end; returns the exit code, stdout and stderr."""
    try:
        out, err = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still running after {within} s\n{out}\n{err}") from None
    return process.returncode, out, err


def assay(*arguments: str, project: Project, **environment: str) -> tuple[int, str, str]:
    """Run a real ``assay`` in a project; returns the exit code, stdout and stderr."""
    return finish(start(*arguments, project=project, **environment))


def descendants(pid: int) -> set[int]:
    """Return the living descendants of a process, zombies left out."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state != "Z":
                parents[int(folder.name)] = int(parent)
    found, more = set(), {pid}
    while more := {child for child, parent in parents.items() if parent in more}:
        found |= more
    return found


def command_of(pid: int) -> str:
    """Return a process's command line; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def alive(pid: int) -> bool:
    """Tell whether a process runs."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def free_port() -> int:
    """Return a port of loopback on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def until(condition: Callable[[], object], within: float = 30.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not become so in time"
        time.sleep(0.01)


def stop(process: subprocess.Popen[str]) -> None:
    """End a process that a test started, whatever came of the test."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.communicate()
