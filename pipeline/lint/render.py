"""Render chat templates on many conversations at once, in a child process that can neither hang nor eat the machine."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHILD = Path(__file__).with_name("render_child.py")
MEMORY_BYTES = 512 << 20
CPU_SECONDS = 3
WALL_SECONDS = 30.0


@dataclass(frozen=True)
class Rendering:
    """A prompt (``text``), or why there is none. ``kind`` is "" for a prompt, else ``syntax`` (does not parse),
    ``raised``, ``limit`` (too much time, memory or text) or ``unknown`` (not tried, as one before it exhausted the
    limits). Line and column count from 1.
    """

    text: str | None = None
    kind: str = ""
    error: str = ""
    line: int = 0
    column: int = 0

    @property
    def where(self) -> str:
        """The position as findings give it."""
        return f"chat_template:{self.line}:{self.column}" if self.line else "chat_template"


@dataclass(frozen=True)
class Job:
    """One rendering: the name of a template, and the variables it gets."""

    template: str
    context: Mapping[str, Any]


def render_all(templates: Mapping[str, str], jobs: Sequence[Job], *, cpu: int = CPU_SECONDS) -> list[Rendering]:
    """Render every job; one that can't be rendered says why. ``cpu`` bounds the whole batch's CPU seconds."""
    request = {
        "templates": dict(templates),
        "jobs": [{"template": job.template, "context": dict(job.context)} for job in jobs],
        "memory": MEMORY_BYTES,
        "cpu": cpu,
    }
    argv = [sys.executable, "-I", str(CHILD)]
    try:
        done = subprocess.run(
            argv, input=json.dumps(request).encode(), capture_output=True, timeout=WALL_SECONDS, env={}, check=False
        )
        output, end = done.stdout, _end(done.returncode, done.stderr, cpu)
    except subprocess.TimeoutExpired as error:
        output, end = error.stdout or b"", f"rendering took more than {WALL_SECONDS:.0f} s"
    lines = output.split(b"\n")[:-1]
    found = [_rendering(templates[job.template], json.loads(line)) for job, line in zip(jobs, lines, strict=False)]
    if len(found) < len(jobs):
        found.append(Rendering(kind="limit", error=end))
    return found + [Rendering(kind="unknown", error="not tried: an earlier conversation exhausted the limits")] * (
        len(jobs) - len(found)
    )


def _end(code: int, stderr: bytes, cpu: int) -> str:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"rendering took more than {cpu} s of CPU time"
    last = stderr.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]
    return f"the renderer ended with status {code}: {last[:200] or 'no message'}"


def _rendering(template: str, answer: dict[str, Any]) -> Rendering:
    if "text" in answer:
        return Rendering(text=answer["text"])
    line = answer["line"]
    return Rendering(
        kind=answer["kind"], error=answer["error"], line=line, column=_column(template, line, answer["error"])
    )


def _column(template: str, line: int, error: str) -> int:
    """Find the column in a line; jinja2 knows lines only. The message often quotes the text at fault; else it is the
    line's first.
    """
    lines = template.splitlines()
    if not 1 <= line <= len(lines):
        return 0
    text = lines[line - 1]
    for near in (*re.findall(r"'([^']+)'", error), "raise_exception"):
        if near in text:
            return text.index(near) + 1
    return len(text) - len(text.lstrip()) + 1
